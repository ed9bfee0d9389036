"""`edgert top` and `edgert status`: what all devices say of themselves, as one table."""
