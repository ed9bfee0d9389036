"""The `edgert` command and `python -m edge_runtime`: imports the rest where Ctrl-C is already no traceback."""

import sys


def run() -> None:
    """Run the command line; exit status 130 after Ctrl-C."""
    try:
        from edge_runtime.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
