"""Where the cable is: what travels between this machine and a microcontroller.

Here now: `framing`, the byte formats of a serial line (text lines, SMP console frames, COBS frames),
pure code without I/O. Nothing in this package opens a port yet.
"""
