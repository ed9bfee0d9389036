"""Log lines for people, or as JSON for machines: one object a line, whatever is in the message."""

from __future__ import annotations

import datetime
import json
import logging
from typing import Literal

TEXT = "%(asctime)s %(levelname).1s %(name)s: %(message)s"
# What a line may carry besides, by `log.info(..., extra={"model": ...})`.
EXTRAS = ("request_id", "model", "version", "user", "device", "code", "status")
MOST_CHARS = 16_384  # of a message or a traceback; what is longer is cut in its middle


def line_format(log_format: Literal["text", "json"]) -> logging.Formatter:
    """The formatter for `runtime.log_format`."""
    return JsonLines() if log_format == "json" else logging.Formatter(TEXT)


class JsonLines(logging.Formatter):
    """Each record as one line of ASCII JSON: `ts`, `level`, `logger`, `message`, and what there is of `EXTRAS`.

    `ts` is UTC as in RFC 3339, to the millisecond. A traceback is text in `exception`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write one line; a record that cannot be put together is written as far as it can."""
        line: dict[str, object] = {
            "ts": utc_text(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(_message(record)),
        }
        line.update({name: _plain(getattr(record, name)) for name in EXTRAS if getattr(record, name, None) is not None})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = _cut(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = _cut(record.stack_info)
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 - wrong arguments, or one whose __str__ fails: the line must not be lost
        return f"{record.msg!s} (arguments cannot be put in: {type(error).__name__})"


def _plain(value: object) -> object:
    if isinstance(value, bool | int):
        return value
    try:
        return _cut(str(value))
    except Exception as error:  # noqa: BLE001 - a __str__ that fails: the rest of the line is still worth having
        return f"({type(error).__name__})"


def _cut(text: str) -> str:
    if len(text) <= MOST_CHARS:
        return text
    half = MOST_CHARS // 2
    return f"{text[:half]} ... {len(text) - 2 * half} characters left out ... {text[-half:]}"


def utc_text(at_s: float) -> str:
    """Seconds since 1970 as UTC in RFC 3339, to the millisecond."""
    at = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
