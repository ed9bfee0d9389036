"""The forms of a quantized graph by name, and what a person or a board has to know of each. Pure data, no libraries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Family = Literal["float32", "dynamic", "int8", "nbits", "qdq"]
Activations = Literal["dynamic", "static", "rows"]
Kept = Literal["nbits", "float"]
Form = Literal["u8", "s8", "u16"]

# Every form that `edgert quantize` tries, in an order that only breaks ties of the eye. More names are understood.
SEARCHED = (
    "dynamic-s8",
    "dynamic-s8-smooth",
    "static-s8-smooth",
    "rows-s8-smooth",
    "mixed-50",
    "mixed-rows-50",
    "nbits8-b32",
    "nbits8-b64",
    "nbits8-b128",
    "nbits4-b32",
    "qdq-u8s8-minmax",
    "qdq-u8s8-percentile",
)
# Tried besides where cores without dot product instructions are a target: no `nbits` parts, which are slow there.
WITHOUT_DOT_PRODUCT = ("mixed-rows-10-float", "mixed-rows-50-float")
PATTERNS = (
    "dynamic-s8, dynamic-s8-smooth, static-s8-smooth, rows-s8-smooth, mixed, mixed[-rows|-static]-PERCENT[-float], "
    "nbits8-b32, nbits8-b64, nbits8-b128, nbits4-b32, qdq-u8s8|s8s8|u16s8-minmax|entropy|percentile[-all]"
)

_BLOCKS = ((8, 32), (8, 64), (8, 128), (4, 32))
_NBITS = re.compile(r"nbits(\d)-b(\d+)")
_INT8 = re.compile(r"(dynamic|static|rows)-s8-smooth")
_MIXED = re.compile(r"mixed(?:-(static|rows))?-([1-9]\d?)(-float)?")
_QDQ = re.compile(r"qdq-(u8|s8|u16)s8-(minmax|entropy|percentile)(-all)?")
_USUAL_SHARE = 50  # percent; what `mixed` alone means

# Counted under emulation, MiniLM, 16 tokens: 228 million instructions on a Cortex-A72, 60 for float; 42 on an A76.
_NO_DOT_PRODUCT = (
    "On ARM cores without dot product instructions (Cortex-A72 and A53: Raspberry Pi 4 and Zero 2) this scheme has no "
    "int8 kernel and is several times slower than float: make a dynamic-s8 or rows-s8-smooth bundle for those"
)
# 58.8 MB of MiniLM's 90.4, cosine 0.9995: ONNX Runtime's CPU kernels are for 8 bits and compute the rest in float.
_FOR_NPUS = (
    "Activations of 16 bits are for NPUs whose compilers read QDQ graphs: a CPU computes them in float, no faster"
)
_EVERY_CPU = ("cpu-x86_64", "cpu-aarch64")
_WITH_DOT_PRODUCT = ("cpu-x86_64", "cpu-aarch64-dotprod")


@dataclass(frozen=True)
class Scheme:
    """One form, taken apart.

    Args:
        name: as a recipe, a manifest and `--scheme` spell it.
        family: which builder makes it.
        activations: for int8: one scale a tensor taken at each run, one taken at conversion, or one a token.
        share: for int8: percent of the measured error whose MatMuls are not int8 but `kept`.
        kept: what those become.
        bits, block: for nbits: of a weight, and how many weights share a scale.
        form, method, all_operators: for qdq: of the activations, how ranges are found, and not only MatMul.
    """

    name: str
    family: Family
    activations: Activations = "dynamic"
    share: int = 0
    kept: Kept = "nbits"
    bits: int = 8
    block: int = 32
    form: Form = "u8"
    method: str = ""
    all_operators: bool = False

    @property
    def calibrated(self) -> bool:
        """Whether building it needs rows of text."""
        return self.family in ("int8", "qdq")


@dataclass(frozen=True)
class SchemeFacts:
    """What a person or a board has to know of a scheme.

    `batch_invariant`: whether an answer is the same alone and in a batch. `targets`: where it runs at its speed.
    `caution`: what to know before it is put on a board.
    """

    batch_invariant: bool
    targets: tuple[str, ...]
    caution: str = ""


def parse_scheme(name: str) -> Scheme | None:
    """The scheme of this name, or None if there is none."""
    if name == "float32":
        return Scheme(name, "float32")
    if name == "dynamic-s8":
        return Scheme(name, "dynamic")
    if name == "mixed":
        return Scheme(name, "int8", share=_USUAL_SHARE)
    return _int8(name) or _nbits(name) or _qdq(name)


def facts_of(name: str) -> SchemeFacts:
    """What to know of a scheme; the name is a known one."""
    scheme = parse_scheme(name)
    assert scheme is not None, name
    blocks = scheme.family == "nbits" or (scheme.family == "int8" and scheme.share > 0 and scheme.kept == "nbits")
    per_tensor = scheme.family == "dynamic" or (scheme.family == "int8" and scheme.activations == "dynamic")
    targets, caution = (_WITH_DOT_PRODUCT, _NO_DOT_PRODUCT) if blocks else (_EVERY_CPU, "")
    caution = _FOR_NPUS if scheme.form == "u16" else caution
    return SchemeFacts(not per_tensor, targets, caution)


def _int8(name: str) -> Scheme | None:
    plain, mixed = _INT8.fullmatch(name), _MIXED.fullmatch(name)
    if plain:
        return Scheme(name, "int8", activations=_activations(plain[1]))
    if mixed:
        kept: Kept = "float" if mixed[3] else "nbits"
        return Scheme(name, "int8", activations=_activations(mixed[1]), share=int(mixed[2]), kept=kept)
    return None


def _activations(word: str | None) -> Activations:
    if word == "static":
        return "static"
    return "rows" if word == "rows" else "dynamic"


def _nbits(name: str) -> Scheme | None:
    found = _NBITS.fullmatch(name)
    if not found or (int(found[1]), int(found[2])) not in _BLOCKS:
        return None
    return Scheme(name, "nbits", bits=int(found[1]), block=int(found[2]))


def _qdq(name: str) -> Scheme | None:
    found = _QDQ.fullmatch(name)
    if not found:
        return None
    return Scheme(name, "qdq", form=_form(found[1]), method=found[2], all_operators=bool(found[3]))


def _form(word: str) -> Form:
    if word == "u16":
        return "u16"
    return "s8" if word == "s8" else "u8"
