"""An ONNX graph that somebody else made -> a bundle, as int8 if that is as good and faster, else as it is.

| file | what |
|---|---|
| `recipe.py` | recipes of graphs: `models/<name>.toml` with a file inside a pinned package |
| `package_file.py` | that file |
| `checks.py` | can a board run the graph at all? Which node not, why, what to try |
| `examples.py` | what a graph is judged on: rows of numbers, or questions to the board's model |
| `rows.py` | rows out of `.npz`, `.npy` and `.jsonl` |
| `judge.py` | how far two models' answers lie apart |
| `choose.py` | int8 forms, each tried on the board's own model, or float |
| `pack.py` | the bundle |
| `report.py` | what was found, as JSON and as a page |
| `job.py`, `convert.py` | all of it in order |
"""
