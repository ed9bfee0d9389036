"""Commands of the workstation, a file each. A command reads its options, calls one function and prints."""
