"""Tokenizers measured against their peers: one process for each tokenizer file, rows of one form."""
