"""What models may take of the machine's memory, and who goes when one more is wanted.

| file | what |
|---|---|
| `machine.py` | what the machine and its cgroup allow, what this process takes |
| `shelf.py` | which models are loaded, who has to go for another, who has grown; pure |
"""

from edge_runtime.engine.memory.machine import available_mb, default_budget_mb, process_rss_mb
from edge_runtime.engine.memory.shelf import ModelShelf

__all__ = ["ModelShelf", "available_mb", "default_budget_mb", "process_rss_mb"]
