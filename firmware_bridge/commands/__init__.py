"""The commands of this package; `edge_runtime/cli.py` has them in its table."""
