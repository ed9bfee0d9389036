"""Where a board keeps its bundles so that no power cut leaves it without one that runs (docs/updates.md).

| file | what |
|---|---|
| `disk.py` | what is asked of a file system; the real one |
| `state.py` | slots and what may become of them, pure |
| `store.py` | objects, manifests and the state on a disk |
| `views.py` | a bundle of the store as a folder |
"""
