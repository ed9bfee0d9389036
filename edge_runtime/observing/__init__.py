"""What watches the daemon at work and tells of it (docs/observability.md).

| file | what |
|---|---|
| `observer.py` | all of it together, built from the config |
| `metrics.py` | counters and durations per model and version; the `load` and `stats` documents |
| `accounting.py` | what the service tells of a finished request -> counters and audit |
| `audit.py` | who asked what of which model, in a file that spares SD cards |
| `reporting.py` | when `load`, `stats` and signs of life are due |
| `prometheus.py` | the page that Prometheus reads |
| `log_lines.py`, `board_state.py` | the log as text or JSON; memory and temperature |
"""
