"""Weights of 8 or 4 bits with one scale a block (MatMulNBits); activations become int8 with one scale a row block."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from edgert_tools.graph import MS_DOMAIN, needs_opset
from edgert_tools.quantization.tables import quantize_tables

_INT8_COMPUTE = 4  # MatMulNBits accuracy level: multiply in int8, not in float


def quantize_blocks(model: Any, bits: int, block: int, keep_float: Collection[str]) -> Any:
    """The model with every constant MatMul but those of `keep_float` as MatMulNBits; large tables become int8 too."""
    quantized = blocks_only(model, bits, block, keep_float)
    quantize_tables(quantized, keep_float)
    needs_opset(quantized, MS_DOMAIN)
    return quantized


def blocks_only(model: Any, bits: int, block: int, keep_float: Collection[str]) -> Any:
    """The same without the tables."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=block, is_symmetric=True, accuracy_level=_INT8_COMPUTE, bits=bits)
    quantizer = MatMulNBitsQuantizer(model, algo_config=config, nodes_to_exclude=list(keep_float))
    quantizer.process()
    needs_opset(quantizer.model.model, MS_DOMAIN)
    return quantizer.model.model
