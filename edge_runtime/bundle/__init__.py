"""What travels from the workstation to the board: one model with everything that is needed to trust it."""
