"""Measurements that a person can repeat: `python -m benchmarks.NAME` prints one table, or JSON with `--json`."""
