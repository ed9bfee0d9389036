"""What a peer is told: the names of its environment's variables, and how many texts it may batch."""

from __future__ import annotations

BUNDLE = "EDGERT_BENCH_BUNDLE"  # the bundle's folder
THREADS = "EDGERT_BENCH_THREADS"  # that the model may use; 0: as the peer and onnxruntime have it
MAX_BATCH = 32
