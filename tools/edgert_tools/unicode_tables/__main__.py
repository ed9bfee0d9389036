"""Write the tables, or check them."""

from __future__ import annotations

import argparse
import sys

import tokenizers

from edge_runtime.tokenizer.unicode.tables import TABLES_PATH, Table, TableFile, write_file
from edgert_tools.unicode_tables import __doc__ as description
from edgert_tools.unicode_tables import clusters, normal_forms, regular_expressions, single_characters


def collect() -> dict[str, Table]:
    """Ask the installed `tokenizers` everything; the tables by the names of their sections."""
    parts = [single_characters.collect(), normal_forms.collect(), regular_expressions.collect(), clusters.collect()]
    return {name: table for part in parts for name, table in part.items()}


def differing(file: TableFile, other: TableFile) -> list[str]:
    """Give the names of the sections that two files do not have alike."""
    names = dict.fromkeys([*file.names(), *other.names()])
    return [name for name in names if file.section(name) != other.section(name)]


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or with `--check` compare them; exit status 1 if they differ."""
    parser = argparse.ArgumentParser(prog="python -m edgert_tools.unicode_tables", description=description)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if the file would change")
    check = parser.parse_args(arguments).check
    oracle = f"tokenizers {tokenizers.__version__}"
    written = write_file(oracle, collect())
    packaged = TableFile(TABLES_PATH.read_text(encoding="ascii") if TABLES_PATH.is_file() else "")
    differences = differing(packaged, TableFile(written))
    if not check:
        TABLES_PATH.write_text(written, encoding="ascii")
    verdict = f"{oracle} differs from {packaged.oracle} in {', '.join(differences)}" if differences else "unchanged"
    sys.stdout.write(f"{TABLES_PATH.name}: {verdict}\n")
    return int(check and bool(differences))


if __name__ == "__main__":
    sys.exit(main())
