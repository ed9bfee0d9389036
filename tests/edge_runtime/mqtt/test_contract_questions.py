"""What a body asks of models that take more than texts: pairs, labels, parameters; and what is refused."""

from __future__ import annotations

import json

import pytest

from edge_runtime.mqtt.contract import CBOR, Refused, Request, parse
from edge_runtime.mqtt.contract.cbor import write_cbor
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.takes import Takes, Words

TOPICS = Topics("hub")


def sent(body: object, kind: str | None = None) -> Message:
    payload = write_cbor(body) if kind == CBOR else json.dumps(body).encode()
    reply = "edgert/v1/r/ann/phone"
    return Message(TOPICS.infer("tiny"), payload, response_topic=reply, content_type=kind)


def asked(body: object, words: Words, kind: str | None = None) -> Request:
    request = parse(sent(body, kind), TOPICS, 1 << 20, lambda _: Takes(words=words))
    assert isinstance(request, Request)
    return request


def refusal(body: object, words: Words) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        asked(body, words)
    return caught.value.error.code, str(caught.value)


def bytes_tensor(name: str, *texts: str) -> dict[str, object]:
    return {"name": name, "datatype": "BYTES", "shape": [len(texts)], "data": list(texts)}


@pytest.mark.parametrize("kind", [None, CBOR])
def test_a_question_has_its_context_beside_it(kind: str | None) -> None:
    request = asked({"question": "who?", "context": "it was Ann"}, "question", kind)
    assert (request.texts, request.pairs, request.form) == (("who?",), ("it was Ann",), "text")


def test_a_query_has_its_documents_beside_it() -> None:
    request = asked({"query": "lamp", "documents": ["a lamp", "a door"]}, "query")
    assert (request.texts, request.pairs) == (("lamp",), ("a lamp", "a door"))


def test_a_text_has_labels_to_choose_from() -> None:
    request = asked({"text": "turn it on", "labels": ["light", "door"], "parameters": {"multi_label": True}}, "labels")
    assert (request.texts, request.labels) == (("turn it on",), ("light", "door"))
    assert request.parameters == {"multi_label": True}


@pytest.mark.parametrize(("words", "names"), [("question", ("question", "context")), ("query", ("query", "documents"))])
def test_tensors_ask_the_same(words: Words, names: tuple[str, str]) -> None:
    inputs = [bytes_tensor(names[1], "it was Ann"), bytes_tensor(names[0], "who?")]
    request = asked({"inputs": inputs}, words)
    assert (request.texts, request.pairs, request.form) == (("who?",), ("it was Ann",), "tensors")


@pytest.mark.parametrize(
    ("body", "words", "said"),
    [
        ({"text": "x"}, "question", "there is no question"),
        ({"question": "x", "context": 3}, "question", "context is a int"),
        ({"question": "x", "context": ["a", "b"]}, "question", "1 and 2 texts"),
        ({"query": "x", "documents": []}, "query", "1 and 0 texts"),
        ({"query": "x", "documents": "y"}, "query", "documents is a str"),
        ({"text": "x", "labels": ["a", 1]}, "labels", "labels is a list"),
        ({"text": "x"}, "none", "this model reads no texts"),
        ({"question": "x", "context": "y"}, "text", "there is no text"),
        ({"text": "x", "parameters": {"a": [1]}}, "text", "parameter 'a'"),
        ({"text": "x", "parameters": {"a": "y" * 300}}, "text", "parameter 'a'"),
        ({"text": "x", "parameters": {str(n): n for n in range(17)}}, "text", "there are 17 parameters"),
    ],
)
def test_what_it_does_not_take_is_refused_with_what_to_send(body: object, words: Words, said: str) -> None:
    code, reason = refusal(body, words)
    assert code == "bad_request"
    assert said in reason


@pytest.mark.parametrize(
    "inputs",
    [
        [bytes_tensor("question", "a")],
        [bytes_tensor("question", "a"), bytes_tensor("question", "b")],
        [bytes_tensor("question", "a"), bytes_tensor("documents", "b")],
        [bytes_tensor("question", "a"), {**bytes_tensor("context", "b"), "datatype": "FP32"}],
        "x",
    ],
)
def test_tensors_of_other_names_or_kinds_are_refused(inputs: object) -> None:
    assert refusal({"inputs": inputs}, "question")[0] == "bad_tensor"


def test_a_model_that_reads_no_texts_is_asked_with_none() -> None:
    assert refusal({"inputs": [bytes_tensor("text", "a")]}, "none")[0] == "bad_tensor"


def test_a_repeat_asks_the_same_in_every_part() -> None:
    same = {"query": "lamp", "documents": ["a lamp", "a door"], "parameters": {"top": 1}}
    first = asked(same, "query").question
    assert hash(first) == hash(asked(same, "query").question)
    for other in ({"documents": ["a lamp"]}, {"query": "x"}, {"parameters": {"top": 2}}, {"parameters": {}}):
        assert asked({**same, **other}, "query").question != first
    labels = {"text": "x", "labels": ["a", "b"]}
    assert asked(labels, "labels").question != asked({**labels, "labels": ["b", "a"]}, "labels").question
