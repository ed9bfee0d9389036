"""The packaged character tables are what the recorded version of Hugging Face `tokenizers` does."""

from __future__ import annotations

import pytest

pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")

import tokenizers

from edge_runtime.tokenizer.unicode import load_tables
from edgert_tools import unicode_tables


def test_the_packaged_tables_are_regenerated_byte_for_byte(capsys: pytest.CaptureFixture[str]) -> None:
    installed = f"tokenizers {tokenizers.__version__}"
    if installed != load_tables().oracle:
        pytest.skip(f"the tables are from {load_tables().oracle}, installed is {installed}")
    assert unicode_tables.main(["--check"]) == 0
    assert capsys.readouterr().out == "unicode_tables.json: unchanged\n"


def test_a_combining_class_without_example_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = {value: char for value, char in unicode_tables._CLASS_EXAMPLES.items() if value != 224}
    monkeypatch.setattr(unicode_tables, "_CLASS_EXAMPLES", examples)
    with pytest.raises(ValueError, match=r"U\+302E"):
        unicode_tables.collect_tables()
