"""Models that are not asked with plain texts, a file for each kind; `edge_runtime.model` finds them by the task."""
