"""Why a signed bundle, a key or a store is refused; the family's root is in `edge_runtime.errors`."""

from __future__ import annotations

from edge_runtime.errors import EdgertError


class UpdateError(EdgertError):
    """A signed file, a key or a store is refused; what runs on the board stays as it is."""

    code = "update_refused"


class BadContainer(UpdateError):
    """The file is cut short, damaged, or not a container as edgert writes it."""

    code = "bad_container"


class SignatureRefused(UpdateError):
    """Nobody whom this board trusts has signed it, or not for this."""

    code = "signature_refused"


class BadKey(UpdateError):
    """A key file, a passphrase or the folder of trusted keys cannot be used."""

    code = "bad_key"


class WrongTarget(UpdateError):
    """The bundle is made for other boards, more memory or a newer edgert."""

    code = "wrong_target"


class Downgrade(UpdateError):
    """The counter is below what this board has confirmed before."""

    code = "downgrade"

    def __init__(self, what: str, counter: int, floor: int) -> None:
        super().__init__(
            f"{what} has counter {counter}, this board takes {floor} and higher: sign it with a higher one"
        )
        self.counter, self.floor = counter, floor


class LicenceDenied(UpdateError):
    """The licence policy forbids the model."""

    code = "licence_denied"


class NoSpace(UpdateError):
    """The disk has too little room; nothing was begun, or what was begun is cleared away."""

    code = "no_space"

    def __init__(self, need_bytes: int, free_bytes: int) -> None:
        need_mb, free_mb = need_bytes / 1e6, free_bytes / 1e6
        super().__init__(
            f"this needs {need_mb:.1f} MB of disk, {free_mb:.1f} MB are free: run `edgert gc` or make room"
        )
        self.need_bytes, self.free_bytes = need_bytes, free_bytes


class BadStore(UpdateError):
    """The store's files are not as edgert writes them, or cannot be read or written."""

    code = "bad_store"


class StoreBusy(BadStore):
    """Somebody else is changing the store."""

    code = "store_busy"


class NothingThere(UpdateError):
    """The slot that is asked for is empty, or the store has no such model."""

    code = "nothing_there"


class TrialFailed(UpdateError):
    """The new bundle did not answer as recorded, not in time, or ended the process that tried it."""

    code = "trial_failed"
