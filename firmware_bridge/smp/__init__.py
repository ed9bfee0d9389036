"""SMP, Zephyr's Simple Management Protocol: a hub looks like a board with two image slots (docs/smp.md).

| file | what |
|---|---|
| `message.py` | header and CBOR map to bytes and back, pure |
| `fields.py` | CBOR maps to frozen dataclasses and back, pure |
| `edgert_group.py` | the messages of our own group, pure |
| `ranges.py` | which bytes of something have come, pure |
| `parts.py` | what has come of a file, so that a power cut loses little of it |
| `finishing.py` | work that may take longer than a client waits |
| `hub.py`, `uploads.py`, `offers.py`, `slots.py`, `files.py` | what the groups serve |
| `groups/` | one file a group: requests, what is done, answers |
| `server.py` | one message in, at most one out |
| `stream.py`, `udp.py`, `tcp.py`, `listening.py` | the links that messages come over |
"""
