"""A bundle to a board, over whatever leads there (docs/flashing.md).

| file | what |
|---|---|
| `engine.py` | look, estimate, send, commit, wait: the same for every target |
| `cargo.py` | the bundle file, opened and checked |
| `target.py` | what is asked of a board |
| `folder.py` | `dir:`, the store itself |
| `hub.py` | our group of SMP: only what is missing, many pieces under way |
| `image.py` | any SMP server: the whole file as an image |
| `receive.py` | the other end of `ssh://` |
| `opened.py` | a target's URL, and the target that it names |
| `bar.py` | the progress bar |
"""
