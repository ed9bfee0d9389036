"""Commands of the board and of those who ask it. Each reads its options, calls one function and prints."""
