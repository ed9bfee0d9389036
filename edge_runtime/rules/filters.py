"""MQTT topic filters: what they match, cover and have in common.

Source: MQTT 5.0, section 4.7 (the same in 3.1.1): `+` is one level, `#` the rest with its parent, and a wildcard at
the beginning matches no topic that begins with `$`.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_TOPIC_BYTES = 65535


def is_topic(topic: str) -> bool:
    """Whether this is a topic name that can be published to."""
    return _is_text(topic) and not {"+", "#"} & set(topic)


def is_filter(text: str) -> bool:
    """Whether this is a filter that can be subscribed to."""
    levels = text.split("/")
    return (
        _is_text(text)
        and all("+" not in level or level == "+" for level in levels)
        and all("#" not in level for level in levels[:-1])
        and ("#" not in levels[-1] or levels[-1] == "#")
    )


def matches(filter_text: str, topic: str) -> bool:
    """Whether a message on this topic is delivered to who subscribed with this filter."""
    return covers(filter_text, topic)


def covers(wide: str, narrow: str) -> bool:
    """Whether `wide` matches every topic that the filter `narrow` matches."""
    if narrow[:1] == "$" and wide[:1] in ("+", "#"):
        return False
    wide_levels, narrow_levels = wide.split("/"), narrow.split("/")
    for at, level in enumerate(wide_levels):
        if level == "#":
            return True
        if at == len(narrow_levels):
            return False
        other = narrow_levels[at]
        if level != other and (level != "+" or other == "#"):
            return False
    return len(wide_levels) == len(narrow_levels)


def overlap(one: str, other: str) -> bool:
    """Whether there is a topic that both filters match."""
    firsts = {one[:1], other[:1]}
    if "$" in firsts and firsts & {"+", "#"}:
        return False
    return _overlap(one.split("/"), other.split("/"))


def without_covered(filters: Sequence[str]) -> list[str]:
    """The filters without those that another covers: a broker may deliver a message once for each that matches."""
    kept: list[str] = []
    for text in dict.fromkeys(filters):
        if not any(covers(other, text) for other in kept):
            kept = [other for other in kept if not covers(text, other)] + [text]
    return kept


def _overlap(one: Sequence[str], other: Sequence[str]) -> bool:
    for mine, its in zip(one, other, strict=False):
        if "#" in (mine, its):
            return True
        if mine != its and "+" not in (mine, its):
            return False
    shorter = min(len(one), len(other))
    rest = [*one[shorter:], *other[shorter:]]
    return not rest or rest == ["#"]


def _is_text(text: str) -> bool:
    if not text or "\0" in text:
        return False
    try:
        return len(text.encode()) <= MAX_TOPIC_BYTES
    except UnicodeEncodeError:  # a lone surrogate
        return False
