"""`python -m edge_runtime` is `edgert`, for places where the script is not on the PATH."""

from edge_runtime.cli import main

main()
