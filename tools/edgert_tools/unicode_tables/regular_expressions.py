r"""The tables of the library's regular expressions, which are Oniguruma's: `\p{...}`, `\s`, `\w`, `(?i)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import NormalizedString, Regex, normalizers

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.classes import BARE_WORD_ONLY, BRACKET_NAMES, CATEGORIES
from edge_runtime.tokenizer.unicode.tables import Table
from edgert_tools.unicode_tables.probes import WHOLE_TEXT, changed, partition, sorted_code_points

# Of Unicode 17; the engine need not know all of them.
_SCRIPTS = """
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Beria_Erfe Bhaiksuki
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian
    Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra Duployan
    Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi
    Gurmukhi Gurung_Khema Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
    Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
    Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari Nandinagari
    New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian
    Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong
    Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham
    Sidetic SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa
    Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Todhri
    Tolong_Siki Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
""".split()  # noqa: SIM905 -- as a list it is a page long

_SURROGATES = CodePoints([(0xD800, 0xDFFF)])
_MOST_RANGES = 8_000  # the engine refuses a class of more than 10,000


def collect() -> dict[str, Table]:
    """Ask the engine of `Regex` about every class that the runtime knows by name.

    Raises:
        ValueError: it does something that tables cannot say: `edge_runtime/tokenizer` needs other code then.
    """
    categories = _parts(sorted(CATEGORIES, key=lambda name: name not in ("Cn", "Co", "Lo")))  # the largest ones first
    scripts = _parts(["Unknown", "Han", "Hangul", *(name for name in _SCRIPTS if _is_known(name))])
    sets = {f"regex_{name}": _members(f"[[:{name}:]]") for name in BRACKET_NAMES}
    _check_shorthands(sets)
    return {
        "category": partition(categories, default="Cs"),
        "script": partition(scripts, default="Unknown"),
        **sets,
        "regex_emoji": _members(r"\p{Emoji}"),
        "regex_extended_pictographic": _members(r"\p{Extended_Pictographic}"),
        "case_fold": case_folds(),
        "whole_case_fold": _whole_folds(),
    }


def _members(pattern: str) -> CodePoints:
    """Give the code points that a regular expression for single characters matches."""
    return (sorted_code_points(_without(pattern, WHOLE_TEXT)) | _SURROGATES).complement()


def _without(pattern: str, text: str) -> str:
    """Delete what matches."""
    return str(normalizers.Replace(Regex(pattern), "").normalize_str(text))


def _is_known(name: str) -> bool:
    try:
        Regex(rf"\p{{{name}}}")
    except Exception as error:  # noqa: BLE001 -- the library raises nothing finer
        return "invalid character property name" not in str(error)
    return True


def _parts(names: Sequence[str]) -> list[tuple[str, CodePoints]]:
    """Give the members of properties, each asked about what those before it left.

    Raises:
        ValueError: some code point has none of them.
    """
    parts: list[tuple[str, CodePoints]] = []
    left = WHOLE_TEXT
    for name in names:
        rest = _without(rf"\p{{{name}}}", left)
        parts.append((name, sorted_code_points(left) - sorted_code_points(rest)))
        left = rest
    if left:
        raise ValueError(f"U+{ord(left[0]):04X} is in none of {', '.join(names)}")
    return parts


def _check_shorthands(sets: Mapping[str, CodePoints]) -> None:
    r"""Check that `\s`, `\d`, `\h` and `\w` are the classes in brackets, but for `\w` outside of brackets."""
    for name, letter in [("space", "s"), ("digit", "d"), ("xdigit", "h"), ("word", "w")]:
        members = sets[f"regex_{name}"]
        bare = members | BARE_WORD_ONLY if name == "word" else members
        found = [_members(pattern) for pattern in (f"\\{letter}", rf"\p{{{name}}}", f"[\\{letter}]")]
        if found != [bare, bare, members]:
            raise ValueError(f"\\{letter}, [\\{letter}] and \\p{{{name}}} are not what they were")
    for name in BRACKET_NAMES:
        outside = {"punct": "posixpunct"}.get(name, name)
        if name != "word" and _members(rf"\p{{{outside}}}") != sets[f"regex_{name}"]:
            raise ValueError(f"[[:{name}:]] is not \\p{{{outside}}}")


def case_folds() -> dict[int, str]:
    """Give every character that equals another single one if case is ignored, with the one that stands for them all."""
    left = _cased()
    folds: dict[int, str] = {}
    while left:
        char = left[0]
        rest = _without(f"(?i)\\x{{{ord(char):X}}}", left)
        equals = sorted(set(left) - set(rest))
        chosen = next((one for one in equals if _lower(one) == one), equals[0])
        folds.update({ord(one): chosen for one in equals if one != chosen})
        left = "".join(sorted(rest))
    return folds


def _cased() -> str:
    """Find the characters that equal another one: two that do differ in some bit of their numbers."""
    text = _without(r"[\p{Cc}\p{Cn}\p{Co}\p{Han}\p{Hangul}]", WHOLE_TEXT)
    found: set[str] = set()
    for bit in range(17):
        halves: tuple[list[str], list[str]] = ([], [])
        for char in text:
            halves[ord(char) >> bit & 1].append(char)
        for members, others in (halves, halves[::-1]):
            ranges = CodePoints.of(map(ord, members)).ranges
            spaced = "0".join(others)  # no text of several characters that could equal one
            for at in range(0, len(ranges), _MOST_RANGES):
                body = "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in ranges[at : at + _MOST_RANGES])
                found |= set(others) - set(_without(f"(?i)[{body}]", spaced))
    return "".join(sorted(found))


class _Uppercase:
    """The upper-casing that the library offers, though no normalizer of its files does it."""

    def normalize_str(self, text: str) -> str:
        normalized = NormalizedString(text)
        normalized.uppercase()
        return str(normalized.normalized)


def _whole_folds() -> dict[int, str]:
    """Find the characters that equal a text of several: it is among the cases of their cases."""
    upper, lower = changed(_Uppercase()), changed(normalizers.Lowercase())
    whole: dict[int, str] = {}
    for code in sorted({*upper, *lower}):
        small = lower.get(code, chr(code))
        texts = {small, _lower(upper.get(code, chr(code)))} | {_lower(upper.get(ord(one), one)) for one in small[:1]}
        for text in sorted(texts):
            if len(text) > 1 and _equal(chr(code), text):
                whole[code] = text
    return whole


def _equal(char: str, text: str) -> bool:
    pattern = "".join(f"\\x{{{ord(one):X}}}" for one in text)
    return _without(rf"(?i)\A{pattern}\z", char) == ""


def _lower(text: str) -> str:
    return str(normalizers.Lowercase().normalize_str(text))
