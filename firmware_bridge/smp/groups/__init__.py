"""The groups of commands that the server has, one a file."""
