"""Where the cable is: what travels between this machine, a board, and a microcontroller.

| what | does |
|---|---|
| `framing.py` | the byte formats of a serial line, pure |
| `link.py`, `serial_link.py`, `pipe_link.py`, `loopback.py` | links: bytes both ways, real ones and the fake |
| `smp/` | Zephyr's management protocol, the answering and the asking side |
| `flash/` | a bundle to a board, over whatever leads there |
| `flashers/` | firmware to microcontrollers |
"""
