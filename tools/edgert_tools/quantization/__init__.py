"""int8 and smaller: float32 graph -> smaller graph, and the search for the form that a model bears.

`scheme.py` names the forms, `build.py` makes one, `search.py` tries many. docs/quantization.md tells which is for what.
"""
