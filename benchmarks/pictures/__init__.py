"""Pictures that benchmarks make, and the peers that read them."""
