"""Models that hear: speech or none, and what was said."""
