"""Read the character tables of `edge_runtime.tokenizer.unicode` out of Hugging Face `tokenizers`.

`python -m edgert_tools.unicode_tables` writes `edge_runtime/tokenizer/unicode/tables.txt` anew; with `--check` it only
says, by its exit status, whether the file is what the installed `tokenizers` gives. It asks the library about every
code point, and takes a minute.
"""

from __future__ import annotations
