"""Models of numbers: any graph, asked with tensors."""
