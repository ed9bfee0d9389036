"""A bundle as one signed file that any tool for MCUboot images can carry and check (docs/updates.md).

| file | what |
|---|---|
| `image.py` | MCUboot's header and TLVs, pure |
| `tape.py` | the tar inside, in one form only |
| `keys.py` | Ed25519 keys and their roles; the one file that imports `cryptography` |
| `sealed.py` | any container: written and signed, checked and opened |
| `bundle_file.py` | `NAME-VERSION.edgert`, and the signed manifest in it |
"""
