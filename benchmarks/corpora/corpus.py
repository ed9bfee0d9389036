"""The texts that tokenizers are measured and proved on: real, deterministic, kept in the cache.

    python -m benchmarks.corpora.corpus      # makes them and says what is in them

`english` and `multilingual` are documents out of Debian's handbook and quotes. `proof` is as much text as asked for in
over 40 languages, from manual pages, handbooks, help pages and translations. Where apt is not there they are made of
what Python packages hold, which is less and is said. `commands` are the sentences of Home Assistant's intents.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import tokenize
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpora import debian_texts, intents
from edge_runtime.errors import SourceUnavailable
from edgert_tools.cache import cache_folder

LAYOUT = 1  # of the documents; another one makes them anew
ENGLISH_BYTES = 3_400_000
MULTILINGUAL_BYTES = 6_000_000
PROOF_BYTES = 50_000_000
LONGEST_DOCUMENT = 20_000  # characters; a single line of a manual may be longer
EMOJI = "emoji"  # beside the languages
Lines = Mapping[str, list[str]]
Documents = list[tuple[str, str]]

PROSE = ("debian-handbook", "fortunes", "fortunes-min", "installation-guide-amd64", "unicode-data")
QUOTES = tuple(f"fortunes-{code}" for code in ("de", "es", "ru", "zh", "cs", "it", "pl", "bg", "eo", "ga", "br"))
MANUALS = tuple(f"manpages-{code}" for code in ("ja", "zh", "de", "fr", "pl", "ru", "uk", "tr", "vi", "sr"))
HELP = tuple(f"libreoffice-help-{code}" for code in ("hi", "ko", "el", "km", "vi"))
MESSAGES = tuple(f"libreoffice-l10n-{code}" for code in ("th", "ar", "fa", "he", "ta", "te", "ka", "am", "bn", "ko"))
ALL_PACKAGES = (*PROSE, *QUOTES, *MANUALS, *HELP, *MESSAGES)


@dataclass(frozen=True)
class Corpus:
    """Documents and where they are from.

    Attributes:
        documents: (language, text) in a fixed, shuffled order.
        sources: name and version of every package, or why there is less than wanted.
    """

    documents: Documents
    sources: list[str]

    @property
    def texts(self) -> list[str]:
        """The documents without their languages."""
        return [text for _, text in self.documents]

    @property
    def size_bytes(self) -> int:
        """Length in UTF-8."""
        return sum(len(text.encode()) for _, text in self.documents)

    @property
    def languages(self) -> list[str]:
        """The languages, sorted."""
        return sorted({language for language, _ in self.documents})

    @property
    def sha256(self) -> str:
        """Hash over the texts in their order."""
        digest = hashlib.sha256()
        for _, text in self.documents:
            digest.update(text.encode() + b"\xff")
        return digest.hexdigest()


def english() -> Corpus:
    """Give about 3.4 MB of English in documents of 200 to 1,600 characters."""
    return _kept("english", PROSE[:4], lambda lines: _documents({"en": lines["en"]}, ENGLISH_BYTES, (200, 1600)))


def multilingual() -> Corpus:
    """Give about 6 MB in over 20 languages, documents of 100 to 900 characters, none plain ASCII, with some emoji."""

    def make(lines: Lines) -> Documents:
        wanted = {code: [line for line in own if not line.isascii()] for code, own in lines.items() if code != "en"}
        return _with_emoji(_documents(wanted, MULTILINGUAL_BYTES, (100, 900)), lines[EMOJI])

    return _kept("multilingual", (*PROSE, *QUOTES), make)


def proof(size_bytes: int) -> Corpus:
    """Give `size_bytes` of text in as many languages as there are, documents of one line to 12,000 characters."""

    def make(lines: Lines) -> Documents:
        return _with_emoji(_documents(lines, size_bytes, (1, 12_000)), lines[EMOJI])

    return _kept(f"proof-{size_bytes}", ALL_PACKAGES, make)


def commands() -> Corpus:
    """Give some thousand sentences for a smart home in over 60 languages."""
    return Corpus(intents.sentences(), [intents.PACKAGE.requirement])


def _kept(name: str, packages: Sequence[str], make: Callable[[Lines], Documents]) -> Corpus:
    """Give a corpus from the cache, or make it of the packages' lines and put it there."""
    try:
        fetched = debian_texts.fetch(packages)
    except SourceUnavailable as error:
        print(f"{error}. Taking texts of Python packages instead, which are fewer", file=sys.stderr)
        return Corpus(make(_lines_without_apt()), [f"no Debian packages: {error}", intents.PACKAGE.requirement])
    key = hashlib.sha256(repr([LAYOUT, *(package.sha256 for package in fetched)]).encode()).hexdigest()[:16]
    path = cache_folder() / "corpus" / f"{name}-{key}.json"
    sources = [f"{package.name} {package.version}" for package in fetched]
    if not path.exists():
        print(f"making the corpus {name} of {len(fetched)} packages", file=sys.stderr)
        documents = make(_lines(fetched))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(documents, ensure_ascii=False), encoding="utf-8")
        partial.rename(path)
    return Corpus([(code, text) for code, text in json.loads(path.read_text(encoding="utf-8"))], sources)


def _lines(packages: Sequence[debian_texts.DebianPackage]) -> Lines:
    """Give each language's lines, each once, without those that are still English in a translation."""
    found: dict[str, dict[str, None]] = {}
    for package in packages:
        if package.name == "unicode-data":
            found[EMOJI] = dict.fromkeys(debian_texts.emoji(package))
            continue
        for language, line in debian_texts.lines_of(package):
            found.setdefault(language, {})[line] = None
    english = found.get("en", {})

    def is_translated(line: str) -> bool:
        return line not in english and " the " not in line

    return {code: [line for line in own if code == "en" or is_translated(line)] for code, own in found.items()}


def _lines_without_apt() -> Lines:
    """Give the sentences of the intents, and as English the doc strings of Python's own library."""
    found: dict[str, list[str]] = {EMOJI: ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f"]}
    for language, sentence in intents.sentences():
        found.setdefault(language, []).append(sentence)
    for file in sorted(Path(json.__file__).parent.parent.glob("*.py")):
        with tokenize.open(file) as source:
            blocks = source.read().split('"""')
        found["en"] += [block.strip() for block in blocks[1::2] if len(block) > debian_texts.SHORTEST_LINE]
    return found


def _documents(lines: Lines, size_bytes: int, length: tuple[int, int]) -> Documents:
    """Join lines of one language to documents, equal shares of `size_bytes` for each, and shuffle all of them."""
    rng = random.Random(3)
    own = {code: texts for code, texts in sorted(lines.items()) if code != EMOJI}
    shares = _shares({code: sum(len(line.encode()) for line in texts) for code, texts in own.items()}, size_bytes)
    documents = []
    for code, texts in own.items():
        shuffled = texts[:]
        rng.shuffle(shuffled)
        documents += [(code, text) for text in _grouped(shuffled, shares[code], length, rng)]
    rng.shuffle(documents)
    return documents


def _shares(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Give every language the same number of bytes; what a small one lacks, the others give."""
    shares: dict[str, int] = {}
    left = wanted
    for at, (code, size) in enumerate(sorted(sizes.items(), key=lambda item: item[1])):
        shares[code] = min(size, left // (len(sizes) - at))
        left -= shares[code]
    return shares


def _grouped(lines: list[str], size_bytes: int, length: tuple[int, int], rng: random.Random) -> Iterator[str]:
    """Join lines until `size_bytes` are given: lengths are even between the two, or mostly short for a wide range."""
    shortest, longest = length
    power = 1 if longest < 20 * shortest else 5
    part: list[str] = []
    wanted = characters = given = 0
    for line in lines:
        wanted = wanted or shortest + int((longest - shortest) * rng.random() ** power)
        part.append(line)
        characters += len(line) + 1
        if characters > wanted:
            text = "\n".join(part)[:LONGEST_DOCUMENT]
            given += len(text.encode())
            yield text
            part, wanted, characters = [], 0, 0
        if given >= size_bytes:
            return


def _with_emoji(documents: Documents, emoji: Sequence[str]) -> Documents:
    """End every seventh document with three emoji."""
    rng = random.Random(5)
    return [
        (code, text if at % 7 else text + " " + "".join(rng.choices(emoji, k=3)))
        for at, (code, text) in enumerate(documents)
    ]


def main() -> None:
    """Make every corpus and say what is in it."""
    for name, corpus in (("english", english()), ("multilingual", multilingual()), ("commands", commands())):
        _say(name, corpus)
    _say("proof", proof(PROOF_BYTES))


def _say(name: str, corpus: Corpus) -> None:
    print(f"{name}: {len(corpus.documents):,} documents, {corpus.size_bytes / 1e6:.1f} MB, sha256 {corpus.sha256[:16]}")
    sizes = Counter[str]()
    for code, text in corpus.documents:
        sizes[code] += len(text.encode())
    print("  MB: " + ", ".join(f"{code} {size / 1e6:.2f}" for code, size in sizes.most_common()))
    print("  of: " + ", ".join(corpus.sources))


if __name__ == "__main__":
    main()
