"""The one error of planning: there is nothing to plan with."""

from __future__ import annotations

from edge_runtime.errors import UsageError


class BadSource(UsageError):
    """SOURCE, or a file of it, cannot be read as what it says it is; exit status 2, as 1 means "does not fit"."""

    code = "bad_source"
