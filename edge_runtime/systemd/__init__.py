"""The daemon as a systemd service: what it tells systemd, the text of its unit, putting it in place."""
