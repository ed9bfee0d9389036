"""Boards without a board: aarch64 Python and onnxruntime under QEMU, counting instructions and comparing answers.

`boards.py` knows what differs between them, `root.py` makes what runs there, `instructions.py` counts, `measuring.py`
does it for every form of a model. An instruction is no time: caches, memory and throttling are not in it.
"""
