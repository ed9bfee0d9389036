"""Models that see: what a picture is, what is in it, what is written there."""
