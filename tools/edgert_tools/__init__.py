"""edgert on the workstation: open checkpoint -> int8 ONNX -> measured against the original -> bundle.

The only code that imports torch, transformers, optimum, onnx and huggingface_hub; none of it runs on the board.
"""
