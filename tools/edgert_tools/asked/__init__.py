"""Text models that are asked questions: what they are judged on, how, and one that is trained here.

The board's side of them is `edge_runtime/models/texts/reading.py`.
"""
