"""Real texts for measurements and proofs: fetched once, the same documents every time."""
