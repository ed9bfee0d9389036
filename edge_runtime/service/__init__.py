"""From a message to its reply: what waits and in which order, who runs it, what is remembered of it.

| file | what |
|---|---|
| `service.py` | the way of a request in, and everything that can be asked of the service |
| `scheduler.py` | what runs next: priorities, clients in turn, batches; pure |
| `workers.py`, `runs.py` | the threads, and how a batch is run |
| `replies.py`, `replier.py` | answers remembered for repeats; answers on their way out |
| `models.py`, `job.py`, `desk.py` | what is loaded; one request; what the threads share |
"""

from edge_runtime.service.replier import Counters
from edge_runtime.service.service import Service

__all__ = ["Counters", "Service"]
