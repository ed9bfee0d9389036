"""Every refusal of edgert: one family, each with a word that clients can branch on and an HTTP-like status.

The message says what was found, what was expected and what to do; numbers stay available as attributes.
"""

from __future__ import annotations

from collections.abc import Mapping


class EdgertError(Exception):
    """Anything that edgert refuses or cannot do.

    Attributes:
        code: the stable word for machines, as in error replies over MQTT and in `--json` output.
        status: the HTTP-like number of an error reply (`docs/mqtt.md`).
        exit_code: what `edgert` exits with when it reaches the command line: 1 refused, 2 used wrongly.
    """

    code = "internal"
    status = 500
    exit_code = 1


class UsageError(EdgertError):
    """The command, config or environment is used wrongly: exit status 2."""

    code = "usage"
    status = 400
    exit_code = 2


class MissingExtra(UsageError):
    """A command needs an optional part of edgert that is not installed."""

    code = "missing_extra"

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"this needs {module}, which is not installed: run `pip install 'edgert[{extra}]'`")
        self.module, self.extra = module, extra


class ConfigError(UsageError):
    """A config file or variable has an unknown key or a value of the wrong kind."""

    code = "bad_config"


class UnsupportedBoard(EdgertError):
    """This machine cannot run the daemon; the message names the limit that it misses."""

    code = "unsupported_board"


class UnitFailed(EdgertError):
    """The systemd unit cannot be put in place, started or looked at; says what systemd said."""

    code = "unit_failed"


# --- requests ------------------------------------------------------------------------------------------------


class BadRequest(EdgertError):
    """The request cannot be read: not JSON, wrong shape, wrong types, bad topic words."""

    code = "bad_request"
    status = 400


class BadTensor(BadRequest):
    """A tensor is not what its shape, datatype or size says."""

    code = "bad_tensor"
    status = 422


class BadPicture(BadRequest):
    """A picture is damaged, cut short, too large or of another kind than said."""

    code = "bad_picture"
    status = 422


class ReplyTopicRefused(BadRequest):
    """The reply topic is outside the allowed prefixes or is not a topic name; nothing is published to it."""

    code = "reply_topic_refused"
    status = 401


class ModelNotFound(EdgertError):
    """No loaded model has this name."""

    code = "model_not_found"
    status = 404

    def __init__(self, name: str, loaded: list[str]) -> None:
        super().__init__(f"no model {name[:64]!r} is loaded here: use one of {', '.join(loaded) or '(none)'}")
        self.name, self.loaded = name, loaded


class DeadlinePassed(EdgertError):
    """The request was still waiting when its deadline passed; it was not run."""

    code = "deadline_passed"
    status = 408


class Cancelled(EdgertError):
    """Whoever asked does not want the answer any more."""

    code = "cancelled"
    status = 409


class ReaderGone(EdgertError):
    """Whoever reads a streamed answer, or the broker, takes no more of it."""

    code = "reader_gone"
    status = 499


class NotAllowed(EdgertError):
    """What was asked for is switched off here."""

    code = "not_allowed"
    status = 403


class InputTooLong(EdgertError):
    """The text does not fit the model's input length."""

    code = "input_too_long"
    status = 413

    def __init__(self, found: int, limit: int, unit: str = "tokens") -> None:
        super().__init__(
            f"text is {found} {unit}, this model takes {limit}: send a shorter text"
            + (' or set "truncate": true' if unit == "tokens" else "")
        )
        self.found, self.limit, self.unit = found, limit, unit


class PayloadTooLarge(EdgertError):
    """The message is larger than this daemon accepts."""

    code = "payload_too_large"
    status = 413

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"payload is {size_bytes} bytes, this daemon takes {limit_bytes}: send less at once")
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes


class UnsupportedMediaType(EdgertError):
    """The content type is not one this daemon reads."""

    code = "unsupported_media_type"
    status = 415


class Busy(EdgertError):
    """The queue is full; try again after `retry_after_ms`."""

    code = "busy"
    status = 429

    def __init__(self, queued: int, retry_after_ms: int) -> None:
        super().__init__(f"{queued} requests are waiting, the queue is full: retry in {retry_after_ms} ms")
        self.queued, self.retry_after_ms = queued, retry_after_ms


class Draining(EdgertError):
    """The daemon is shutting down and takes no new request."""

    code = "draining"
    status = 503


class NoMemory(EdgertError):
    """A model does not fit into the memory that models may take."""

    code = "no_memory"
    status = 503

    def __init__(self, name: str, need_mb: float, budget_mb: float, taken_mb: Mapping[str, float]) -> None:
        parts = " + ".join(f"{owner} {size:.0f}" for owner, size in taken_mb.items()) or "nothing"
        super().__init__(
            f"model {name[:64]!r} needs about {need_mb:.0f} MB of a budget of {budget_mb:.0f} MB, taken are {parts}: "
            "unload a model, choose a smaller one or raise memory.budget_mb"
        )
        self.name, self.need_mb, self.budget_mb, self.taken_mb = name, need_mb, budget_mb, dict(taken_mb)


# --- client --------------------------------------------------------------------------------------------------


class BrokerUnreachable(EdgertError):
    """The MQTT broker cannot be reached or refuses the connection."""

    code = "broker_unreachable"
    status = 503


class NoBroker(UsageError):
    """No broker was given and none can be started here."""

    code = "no_broker"


class RequestTimeout(EdgertError):
    """No answer came in time, after all retries."""

    code = "timeout"
    status = 504


class RemoteError(EdgertError):
    """The daemon answered with an error; `code` and `status` are the daemon's."""

    def __init__(self, status: int, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_ms = status, code, retry_after_ms


class StreamGap(EdgertError):
    """A piece of a streamed answer is missing: what came before it is whole, the rest is not to be had."""

    code = "stream_gap"
    status = 502

    def __init__(self, received: int, what: str) -> None:
        super().__init__(f"the stream has a gap after {received} pieces ({what}): ask again")
        self.received = received


class OpensslFailed(EdgertError):
    """The `openssl` program is missing or could not make a certificate; says what it said."""

    code = "openssl_failed"


# --- models and bundles --------------------------------------------------------------------------------------


class BundleError(EdgertError):
    """The bundle is not whole, not readable or not what its manifest says; nothing of it is used."""

    code = "bad_bundle"


class UnknownSchema(BundleError):
    """The manifest is of a format version that this edgert does not know."""

    code = "unknown_schema"


class BundleFileMissing(BundleError):
    """The manifest lists a file that is not there."""

    code = "bundle_file_missing"


class BundleFileExtra(BundleError):
    """The bundle holds a file that its manifest does not list."""

    code = "bundle_file_extra"


class BundleFileAltered(BundleError):
    """A file's size or sha256 is not the one in the manifest."""

    code = "bundle_file_altered"


class BundlePathRefused(BundleError):
    """A path in the bundle could leave it: absolute, `..`, a link or a special file."""

    code = "bundle_path_refused"


class BundleTooLarge(BundleError):
    """The manifest or a file claims an absurd size."""

    code = "bundle_too_large"


class GoldenMismatch(BundleError):
    """The model runs here but its answers are not the ones recorded when it was built."""

    code = "golden_mismatch"


class UnsupportedTokenizer(EdgertError):
    """The tokenizer file has a part that edgert does not implement; it is named, never approximated."""

    code = "unsupported_tokenizer"


class UnsupportedModel(EdgertError):
    """The model's format, task, inputs or operators are not supported here."""

    code = "unsupported_model"


# --- workstation ---------------------------------------------------------------------------------------------


class RecipeError(UsageError):
    """A recipe file has an unknown key, misses one or holds a bad value."""

    code = "bad_recipe"


class SourceUnavailable(EdgertError):
    """A checkpoint or data set cannot be had: names what, from where, and what would help."""

    code = "source_unavailable"


class BudgetMissed(EdgertError):
    """No int8 candidate is as good as the recipe demands; says what was tried and what it gave."""

    code = "budget_missed"


# --- serial --------------------------------------------------------------------------------------------------


class FrameError(EdgertError):
    """Bytes cannot be framed for a serial line, or are not a frame."""

    code = "bad_frame"
    status = 400
