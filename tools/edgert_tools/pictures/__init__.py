"""Data and extra parts for recipes of models that read pictures."""
