"""Exporters: a checkpoint folder -> one float32 ONNX file. One file each."""
