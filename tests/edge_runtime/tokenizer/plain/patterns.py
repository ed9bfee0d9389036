"""Regular expressions: those of real files, and one for each construct that we translate or refuse."""

from __future__ import annotations

_CASED = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_TAIL = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_HAN = r"&&[^\p{Han}]"

OF_FILES = {
    "gpt-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "llama-3": _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "cl100k possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "qwen-2": _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen-3.5": _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": rf"[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}]*[{_CASED[1]}]+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}]+[{_CASED[1]}]*{_CONTRACTIONS}?|{_TAIL}",
    "tekken": rf"[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}]*[{_CASED[1]}]+"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}]+[{_CASED[1]}]*|{_TAIL}",
    "kimi": rf"[\p{{Han}}]+|[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}{_HAN}]*[{_CASED[1]}{_HAN}]+{_CONTRACTIONS}?"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_CASED[0]}{_HAN}]+[{_CASED[1]}{_HAN}]*{_CONTRACTIONS}?|{_TAIL}",
    "deepseek digits": r"\p{N}{1,3}",
    "deepseek han": r"[一-龥぀-ゟ゠-ヿ]+",
    "deepseek": r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "deepseek coder": r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕ𐐀-𐑏𞤀-𞥃]+",
    "deepseek coder marks": r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    "deepseek coder end": r"\s+$",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "t5": r" {2,}",
    "clip": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    "falcon": r"[0-9][0-9][0-9]",
    "thousands": r"\d{1,3}(?=(?:\d{3})*\b)",
    "camel case": r"(?<=\p{Ll})(?=\p{Lu})",
}

OF_CONSTRUCTS = (
    # classes
    *(r"\w+", r"\W+", r"[\w]+", r"[^\w]+", r"[^\W]", r"\d", r"\D+", r"\h+", r"\H", r"\s", r"\S+", r"\p{Word}+"),
    *(r"\p{^L}+", r"\P{L}+", r"\P{^L}", r"[\p{^L}x]+", r"\p{Lowercase_Letter}", r"\p{ lu }", r"\p{Greek}+", r"\p{LC}"),
    *(r"[[:punct:]]+", r"\p{Punct}+", r"[\p{Punct}]", r"[[:alpha:][:^space:]]", r"[[:^alpha:]]+", r"[[:word:]]+"),
    *(r"[]a]+", r"[^]a]+", r"[-a]+", r"[a-]+", r"[a-c-]+", r"[--/]+", r"[!--]+", r"[a-c&&b-d]", r"[a[^b]&&[^c]]+"),
    *(r"[a&&^b]", r"[\]\-\\\n\t]+", r"[\x41-\x5a]", r"[\u00e0-\u00ff]", r"[\x{1F600}-\x{1F64F}]", r"[a.]+", r"[\b]"),
    *(r"[&]", r"[~!|]+", r"[[a]b]", r"[+\-*/]", "[ \t]"),
    # characters
    *(r"\x41|\x{1F600}|\u00e9", r"\.\,\!\'", r"\<|\>", "é", "#", r"\t|\v|\f|\a|\e", r"}", r"]"),
    # anchors and looks
    *("^", "$", r"^.", r".$", r"\n$", r"\n^.?", r"a\Z", r"\A.|.\z", r"\b", r"\B", r"\b\w+\b"),
    *(r"(?<=a|bc)\w", r"(?<!a|bc)\w", r"(?<=\s)\S", r"(?<!\s)\s", r"a(?=b)", r"a(?!b)", r"(?<=^a)b"),
    # quantifiers
    *(r"a{2}?b?", r"a{1,2}+a?", r"a{,2}b", r"a{2,}", r"a+?b|a*?c|a??d|a{1,2}?", r"a++a|a*+b|a?+a", r"(?>a+|ab)b?"),
    # what can be empty
    *(r"x*", r"(?=b)", r"a?|b", r"a*?", r"()", ""),
    # groups and options
    *(
        r"(a)(?<n>b)(?'m'c)?",
        r"a(?i)b|c",
        r"(?i:k)+s",
        r"(?i:[a-z]+)",
        r"(?i:[^ks]+)",
        r"(?i:\x{e9}|\u03c3|\u01c5)",
        r".+",
    ),
    *(
        r"(?i:\x{e9}|\u03c3|\u01c5)",
        r"(?m:.+)",
        r"(?m).",
        r"(?i-m:a.)",
        r"(?-i:a)",
        r"\R",
        r"\N+",
        r"\O{2}",
        "a|",
        "a||b",
    ),
)

REFUSED = {
    r"(a)\1": r"\\1",
    r"(?<n>a)\k<n>": r"\\k",
    r"a\Kb": r"\\K",
    r"\Ga": r"\\G",
    r"\X": r"\\X",
    r"\ya": r"\\y",
    r"\ja": r"\\j",
    r"(?x) a": "option x",
    r"(?~a)": "group that starts with",
    r"(?(1)a)": "group that starts with",
    r"(*FAIL)": "group that starts with",
    r"(?#note)a": "group that starts with",
    r"(?:a*)*": "repetition of what may match nothing",
    r"(?:a?){2}": "repetition of what may match nothing",
    r"a{0,2}+": "repetition of what may match nothing",
    r"a**": "quantifier of a quantifier",
    r"a{3,1}": "quantifier",
    r"a{": "no quantifier",
    r"*a": "nothing to repeat",
    r"(?<=a+)b": "look-behind",
    r"(?i:st)": "where case is ignored",
    r"(?i:(?:s)t)": "where case is ignored",
    "(?i:ß)": "where case is ignored",
    r"(?i:[\p{L}])": "or a large one, where case is ignored",
    r"\pL": "property without braces",
    r"\p{Nonsense}": "property 'Nonsense'",
    r"[[:nonsense:]]": r"class \[:nonsense:\]",
    r"[a&&]": "empty operand",
    r"[\w-x]": "range|members",
    r"[z-a]": "range",
    r"[a": "end",
    r"(a": r"a \( without",
    r"a)": r"a \) without",
    r"\x{110000}": "character '110000'",
    r"\uD800": "character 'D800'",
    r"\xe9": "byte E9",
    "a\\": "end",
}
