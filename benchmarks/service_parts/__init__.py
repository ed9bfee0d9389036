"""Parts of `benchmarks.service`: a daemon with models that do nothing, many requests in flight, the obvious peers."""
