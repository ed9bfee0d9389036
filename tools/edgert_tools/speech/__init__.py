"""A Whisper -> a bundle that writes down what is said: int8 if it is as good, else float, and says which.

| file | what |
|---|---|
| `recipe.py` | recipes of speech models: `models/<name>.toml` with `task = "transcribe"` |
| `ctranslate2.py`, `whisper_weights.py` | CTranslate2's file, and the same weights as transformers has them |
| `source.py` | a recipe's package or a folder -> a checkpoint |
| `tokens.py` | which tokens steer the model |
| `export.py` | two float graphs: one that hears, one that writes a token |
| `quantize.py` | their int8 forms |
| `spoken.py`, `words.py`, `judge.py` | speech whose words are known, and how many of them come out wrong |
| `pack.py`, `report.py` | the bundle, and what was found |
| `convert.py` | all of it in order |
"""
