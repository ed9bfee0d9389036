"""The `post_processor` of a file: one template and trims; a sequence means "trim first" or is refused."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import kinds, parse_spec
from edge_runtime.tokenizer.spec.kinds import OffsetTrim, Piece
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of, spec_of

A, B = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
CLS = {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
TEMPLATE = {
    "type": "TemplateProcessing",
    "single": [CLS, A, CLS],
    "pair": [A, CLS, B],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2, 3], "tokens": ["[CLS]", "x"]}},
}
ENDS: dict[str, Any] = {"cls": ["<s>", 2], "sep": ["</s>", 3]}
BERT = {"type": "BertProcessing", **ENDS}
ROBERTA = {"type": "RobertaProcessing", **ENDS, "trim_offsets": True, "add_prefix_space": False}
BYTE_LEVEL = {"type": "ByteLevel", "trim_offsets": True, "add_prefix_space": True}
TEXT_A, CLS_PIECE, SEP_PIECE = Piece("A", (), 0), Piece(None, (2,), 0), Piece(None, (3,), 0)


def sequence(*processors: dict[str, Any]) -> dict[str, Any]:
    """Give a `Sequence` of post-processors."""
    return {"type": "Sequence", "processors": list(processors)}


def test_no_post_processor_puts_nothing_around_texts() -> None:
    for section in (None, sequence(), {**BYTE_LEVEL, "trim_offsets": False}):
        spec = spec_of(post_processor=section)
        assert spec.template == kinds.Template((TEXT_A,), (TEXT_A, Piece("B", (), 1)))
        assert spec.trim == ()


def test_a_template_is_read_with_ids_that_repeat_and_type_ids_as_written() -> None:
    cls = Piece(None, (2, 3), 0)
    assert spec_of(post_processor=TEMPLATE).template == kinds.Template(
        (cls, TEXT_A, cls), (TEXT_A, cls, Piece("B", (), 1))
    )


def test_bert_and_roberta_are_templates() -> None:
    single = (CLS_PIECE, TEXT_A, SEP_PIECE)
    bert, roberta = spec_of(post_processor=BERT), spec_of(post_processor=ROBERTA)
    assert bert.template.single == roberta.template.single == single
    assert bert.template.pair == (*single, Piece("B", (), 1), Piece(None, (3,), 1))
    assert roberta.template.pair == (*single, SEP_PIECE, Piece("B", (), 0), SEP_PIECE)
    assert (bert.template.overflow_type_ids, roberta.template.overflow_type_ids) == ((0, 1), (0, 0))
    assert (bert.trim, roberta.trim) == ((), (OffsetTrim(False),))
    assert spec_of(post_processor={**ROBERTA, "trim_offsets": False}).trim == ()


def test_sequences_trim_as_often_as_they_say() -> None:
    spec = spec_of(post_processor=sequence(BYTE_LEVEL, sequence(ROBERTA)))
    assert spec.trim == (OffsetTrim(True), OffsetTrim(False))
    assert spec_of(post_processor=sequence(TEMPLATE, BYTE_LEVEL)).trim == (OffsetTrim(True),)
    assert spec_of(post_processor=sequence(BERT, {**BYTE_LEVEL, "add_prefix_space": False})).trim == (
        OffsetTrim(False),
    )


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"type": "CharProcessing"}, "post_processor CharProcessing"),
        (ENDS, "post_processor lacks 'type'"),
        ({**TEMPLATE, "added": 1}, "post_processor TemplateProcessing key 'added'"),
        ({**TEMPLATE, "special_tokens": {}}, "template single piece '[CLS]' is not among special_tokens"),
        ({**TEMPLATE, "special_tokens": []}, "special_tokens []"),
        ({**TEMPLATE, "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": ["2"], "tokens": [""]}}}, "'[CLS]' id '2'"),
        ({**TEMPLATE, "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": []}}}, "1 ids, but 0 tokens"),
        ({**TEMPLATE, "special_tokens": {"[CLS]": {"ids": [2], "tokens": ["x"]}}}, "'[CLS]' lacks 'id'"),
        ({**TEMPLATE, "single": []}, "template single is not supported"),
        ({**TEMPLATE, "single": [A, A]}, "template single is not supported"),
        ({**TEMPLATE, "single": [B]}, "template single is not supported"),
        ({**TEMPLATE, "single": ["[CLS]"]}, "template single piece '[CLS]'"),
        ({**TEMPLATE, "pair": [A]}, "template pair is not supported: edgert expects sequence A and B, once"),
        ({**TEMPLATE, "pair": [A, B, A]}, "template pair is not supported"),
        ({**TEMPLATE, "pair": [{"Sequence": {"id": "C", "type_id": 0}}]}, "template pair piece 'C'"),
        ({**TEMPLATE, "pair": [{"Sequence": {"id": "A", "type_id": 2**31}}]}, "template pair piece type_id 2147483648"),
        ({**TEMPLATE, "pair": [{"Token": {}}]}, "template pair piece lacks 'Sequence'"),
        ({**TEMPLATE, "pair": [{**CLS, **A}]}, "template pair piece key 'Sequence'"),
        ({**BERT, "cls": ["[CLS]"]}, "post_processor BertProcessing cls has 1 items"),
        ({**BERT, "sep": [3, "[SEP]"]}, "post_processor BertProcessing sep 3"),
        ({"type": "BertProcessing", "cls": ["[CLS]", 2]}, "post_processor BertProcessing lacks 'sep'"),
        ({**BERT, "trim_offsets": True, "add_prefix_space": True}, "post_processor BertProcessing key"),
        ({"type": "RobertaProcessing", **ENDS}, "post_processor RobertaProcessing lacks 'add_prefix_space'"),
        ({"type": "ByteLevel", "trim_offsets": True}, "post_processor ByteLevel lacks 'add_prefix_space'"),
        (sequence(TEMPLATE, BERT), "more than one template"),
        (sequence(ROBERTA, ROBERTA), "more than one template"),
        (sequence(BERT, BYTE_LEVEL), "trims offsets with add_prefix_space when special tokens are there already"),
        (sequence(ROBERTA, BYTE_LEVEL), "trims offsets with add_prefix_space"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(section: object, named: str) -> None:
    assert named in refusal_of({**plain_document(), "post_processor": section})


PEER_MODEL = {
    "type": "BPE",
    "vocab": {"a": 0, "b": 1, "<s>": 2, "</s>": 3, "Ġ": 4, "Ġa": 5, "ĠĠ": 6, "Ċ": 7, "aĠ": 8},
    "merges": ["Ġ Ġ", "Ġ a", "a Ġ"],
}
TEXTS = (" a", "  a b", "a a", "\n a", "b  ", "", "a\nb a ab", " b a", "ab  a")
STEPS = [
    TEMPLATE,
    BERT,
    ROBERTA,
    {**ROBERTA, "add_prefix_space": True},
    {**ROBERTA, "trim_offsets": False},
    BYTE_LEVEL,
    {**BYTE_LEVEL, "add_prefix_space": False},
    {**BYTE_LEVEL, "trim_offsets": False},
]


def trimmed_first(processors: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    """Write what we read a sequence as: its trims in order, then its one template without any."""
    trims: list[dict[str, Any]] = []
    templates: list[dict[str, Any]] = []
    for step in processors:
        if step.get("trim_offsets"):
            trims.append({**BYTE_LEVEL, "add_prefix_space": step["add_prefix_space"]})
        if step["type"] != "ByteLevel":
            templates.append({**step, "trim_offsets": False} if "trim_offsets" in step else step)
    return [*trims, *templates]


def test_every_sequence_that_is_read_means_trim_first_to_the_original() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    accepted = 0
    for processors in itertools.chain(itertools.product(STEPS, repeat=2), itertools.product(STEPS, repeat=3)):
        document = peer_document(sequence(*processors))
        try:
            parse_spec(document)
        except UnsupportedTokenizer:
            continue
        accepted += 1
        written, canonical = (
            tokenizers.Tokenizer.from_str(json.dumps(made))
            for made in (document, peer_document(sequence(*trimmed_first(processors))))
        )
        assert encodings(written) == encodings(canonical), processors
    assert accepted > 100


def peer_document(post_processor: dict[str, Any]) -> dict[str, Any]:
    """Give a byte-level document in which tokens begin and end with spaces."""
    pre_tokenizer = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": False}
    sections = {"normalizer": None, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": None}
    return {"version": "1.0", "added_tokens": [], **sections, "model": PEER_MODEL}


def encodings(peer: Any) -> list[Any]:
    """Give all that the peer makes of texts and pairs, with and without special tokens, whole and in parts."""
    found = []
    for most in (None, 8):
        peer.no_truncation() if most is None else peer.enable_truncation(most)
        for special, text, pair in itertools.product((True, False), TEXTS, (None, "  b a", "a")):
            whole = peer.encode(text, pair, add_special_tokens=special)
            found += [(part.ids, part.type_ids, part.offsets) for part in (whole, *whole.overflowing)]
    return found
