"""`edgert plan`: will a model run on a board? Said from headers and configs, before a byte of weights is read.

| file | what |
|---|---|
| `source.py` | SOURCE -> a model: dispatch over the readers below |
| `safetensors_header.py`, `gguf_header.py`, `onnx_skeleton.py` | bounded: any bytes give a header or `BadSource` |
| `hub_headers.py` | the same headers over HTTP ranges |
| `folder_model.py`, `gguf_model.py`, `onnx_model.py` | header and config -> `model.Model` |
| `model.py`, `weights.py` | what the sums need to know of a model, and which tensor is what |
| `exporters.py`, `exporters.toml` | which model types a conversion knows |
| `sizes.py`, `memory.py`, `instructions.py` | the sums, each with its parts |
| `boards.py`, `boards.toml` | board profiles |
| `verdict.py`, `alternatives.py` | fits or not, and what is nearest |
| `plan.py`, `shown.py` | all of it together; as text and as JSON |
"""
