"""Parts of `python -m benchmarks.flash`."""
