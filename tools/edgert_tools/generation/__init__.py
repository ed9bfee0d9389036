"""Models that write token by token: a GGUF file or a llama-like checkpoint -> a bundle for the task `generate`.

| module | what it is about |
| --- | --- |
| `recipe.py` | `models/<name>.toml` with `task = "generate"` |
| `source.py` | a GGUF file, a folder, a hub id or a recipe's package -> a float checkpoint |
| `convert.py` | the conversion, top to bottom |
| `surgery.py` | edits of the built graph: one table for embedding and head, logits of all tokens to judge by |
| `decoder.py` | a graph that writes, run as a board would |
| `prose.py`, `judge.py` | the text to judge on; how far int8 is from float |
| `description.py` | the manifest's part: cache, end tokens, chat template, sampling |
| `pack.py`, `report.py` | the bundle; its report |
"""
