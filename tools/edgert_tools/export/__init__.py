"""Exporters: a checkpoint folder -> ONNX. Each has packages that do not go together with the others'.

| module | what it is about |
| --- | --- |
| `registry.py` | which exporter takes which model type for which task |
| `optimum.py` | encoders and sequence to sequence by optimum-onnx |
| `genai.py` | decoders by the model builder of ONNX Runtime GenAI; GGUF files made into checkpoints |
| `encoder.py` | optimum's graph of an encoder, checked before and after |
| `operators.py` | does a board have every operator of a graph, and its opset? |
| `lock.py`, `locks/` | the exact packages of each exporter, with hashes; `relock.py` writes them |
| `environment.py` | a virtual environment made of a lock on first use, kept in the cache |
| `process.py` | an exporter as a child process in its environment: request, progress, result, error |
| `child/` | what runs there: these files import nothing of edgert |
"""
