"""Models of numbers: what may be sent, how it is refused, and that joined requests get their own answers."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper

from edge_runtime.bundle.manifest import Limits, TaskSpec
from edge_runtime.documents import model_document
from edge_runtime.errors import BadTensor, UnsupportedModel
from edge_runtime.model import PlainAsked, open_model
from edge_runtime.models.numbers.tensors import TensorModel, open_tensors
from edge_runtime.mqtt.contract import CBOR
from edge_runtime.mqtt.contract.bodies import BINARY, HEADER_LENGTH
from edge_runtime.mqtt.contract.cbor import read_cbor, write_cbor
from edge_runtime.mqtt.message import Message
from edge_runtime.selftest import run_golden
from edge_runtime.tasks import DATATYPES
from tests import tiny_graphs
from tests.service_bench import TOPICS, WAIT_S, Bench

X = {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [1, 5, 2, 7, 0, 3]}
DOUBLE = [2, 10, 4, 14, 0, 6]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TensorModel:
    return opened(tiny_graphs.sums_bundle(tmp_path_factory.mktemp("tensors") / "bundle"))


def opened(folder: Path) -> TensorModel:
    found = open_model(folder)
    assert isinstance(found, TensorModel)
    return found


def message(payload: bytes | Mapping[str, Any], content_type: str | None = None, **user: str) -> Message:
    body = json.dumps(payload).encode() if not isinstance(payload, bytes) else payload
    properties = tuple((name.replace("_", "-"), value) for name, value in user.items())
    return Message(
        TOPICS.infer("tiny"),
        body,
        response_topic="edgert/v1/r/ann/phone",
        correlation=b"c",
        content_type=content_type,
        user=properties,
    )


def outputs_of(body: Mapping[str, Any]) -> dict[str, tuple[Any, Any, Any]]:
    return {one["name"]: (one["datatype"], one["shape"], one.get("data")) for one in body["outputs"]}


def test_json_tensors_get_every_output(make_bench: Callable[..., Bench], model: TensorModel) -> None:
    bench = make_bench({"tiny": model})
    bench.send(message({"inputs": [X], "id": "7"}))
    status, body = bench.next()
    assert status == 200
    assert outputs_of(body) == {"double": ("FP32", [2, 3], DOUBLE), "most": ("INT64", [2], [1, 0])}


def test_binary_tensors_get_binary_outputs(make_bench: Callable[..., Bench], model: TensorModel) -> None:
    bench = make_bench({"tiny": model})
    values = np.array(X["data"], "<f4").tobytes()
    head = {
        "inputs": [{**{k: X[k] for k in ("name", "datatype", "shape")}, "parameters": {"binary_data_size": 24}}],
        "parameters": {"binary_data_output": True},
    }
    encoded = json.dumps(head).encode()
    bench.send(message(encoded + values, BINARY, **{HEADER_LENGTH: str(len(encoded))}))
    reply = bench.replies.get(timeout=WAIT_S)
    length = int(dict(reply.user)[HEADER_LENGTH])
    outputs = json.loads(reply.payload[:length])["outputs"]
    assert [one["parameters"]["binary_data_size"] for one in outputs] == [24, 16]
    assert struct.unpack("<6f2q", reply.payload[length:]) == (*DOUBLE, 1, 0)


def test_cbor_tensors_get_cbor_with_bytes(make_bench: Callable[..., Bench], model: TensorModel) -> None:
    bench = make_bench({"tiny": model})
    tensor = {**X, "data": np.array(X["data"], "<f4").tobytes()}
    bench.send(message(write_cbor({"inputs": [tensor]}), CBOR))
    body = read_cbor(bench.replies.get(timeout=WAIT_S).payload)
    assert isinstance(body, dict)
    assert outputs_of(body)["double"] == ("FP32", [2, 3], np.array(DOUBLE, "<f4").tobytes())


@pytest.mark.parametrize(
    ("values", "double", "most"),
    [
        ([1, 5, 2], [2, 10, 4], 1),
        ([[1, 5, 2]], [[2, 10, 4]], [1]),
        ([[1, 5, 2], [0, 0, 0.5]], [[2, 10, 4], [0, 0, 1]], [1, 2]),
    ],
)
def test_plain_values_are_a_row_or_rows_of_the_only_input(
    make_bench: Callable[..., Bench], model: TensorModel, values: object, double: object, most: object
) -> None:
    bench = make_bench({"tiny": model})
    bench.send(message({"values": values}))
    assert bench.next() == (200, {"model": "tiny", "version": "1.2.3", "values": {"double": double, "most": most}})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"inputs": [{**X, "shape": [3, 2]}]}, "is FP32 [3, 2], expected FP32 [rows, 3]"),
        ({"inputs": [{**X, "datatype": "FP64"}]}, "is FP64 [2, 3], expected FP32 [rows, 3]"),
        ({"inputs": [{**X, "shape": [6]}]}, "is FP32 [6], expected FP32 [rows, 3]"),
        ({"inputs": [{**X, "shape": [0, 3], "data": []}]}, "with rows from 1 to 8"),
        ({"inputs": [{**X, "shape": [9, 3], "data": [0] * 27}]}, "with rows from 1 to 8"),
        ({"inputs": [{**X, "name": "y"}]}, "inputs are 'y', expected 'x'"),
        ({"inputs": [X, {**X, "name": "y"}]}, "inputs are 'x', 'y', expected 'x'"),
        ({"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["hi"]}]}, "this model reads no texts"),
        ({"values": [1, "two", 3]}, "data must be float or int"),
        ({"values": [[1, 2], [3]]}, "nested otherwise"),
        ({"values": [1, 2]}, "is FP32 [1, 2], expected FP32 [rows, 3]"),
        ({"values": []}, "expected FP32 [rows, 3]"),
        ({"values": [[[[[[[[[1]]]]]]]]]}, "nested deeper than 8"),
        ({"values": [[], 1]}, "data"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_graph_is_refused_with_what_was_expected(
    make_bench: Callable[..., Bench], model: TensorModel, body: object, said: str
) -> None:
    bench = make_bench({"tiny": model})
    bench.send(message(body))  # type: ignore[arg-type]
    status, reply = bench.next()
    assert (status, reply["error"]["reason"]) == (422, "bad_tensor")
    assert said in reply["error"]["message"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.lists(st.integers(0, 10), max_size=3),
    dtype=st.sampled_from(sorted(DATATYPES)),
    name=st.sampled_from(["x", "", "y"]),
)
def test_every_tensor_is_answered_in_its_shape_or_refused_as_one_that_does_not_fit(
    model: TensorModel, shape: list[int], dtype: str, name: str
) -> None:
    question = asked(np.ones(shape, dtype), name)
    fits = name == "x" and dtype == "float32" and len(shape) == 2 and shape[1] == 3 and 1 <= shape[0] <= 8
    short = name == "" and (shape == [3] or (len(shape) == 2 and shape[1] == 3 and 1 <= shape[0] <= 8))
    try:
        double, most = model.answer([question]).answers[0].tensors()
    except BadTensor:
        assert not fits
        assert not short
    else:
        assert fits or short
        assert double.shape == (most.shape[0], 3)
        assert set(double.data) == {2.0}


def test_a_text_is_told_what_the_model_takes(make_bench: Callable[..., Bench], model: TensorModel) -> None:
    bench = make_bench({"tiny": model})
    bench.send(message({"text": "turn on the light"}))
    status, reply = bench.next()
    assert (status, reply["error"]["reason"]) == (400, "bad_request")
    assert 'Open Inference Protocol inputs, or {"values": [...]}' in reply["error"]["message"]


def test_a_number_that_json_cannot_say_is_sent_as_bytes_or_refused(
    make_bench: Callable[..., Bench], model: TensorModel
) -> None:
    bench = make_bench({"tiny": model})
    infinite = write_cbor({"inputs": [{**X, "shape": [1, 3], "data": np.array([3e38, 0, 0], "<f4").tobytes()}]})
    bench.send(message(infinite, CBOR))
    body = read_cbor(bench.replies.get(timeout=WAIT_S).payload)
    assert isinstance(body, dict)
    assert np.isinf(np.frombuffer(outputs_of(body)["double"][2], "<f4")[0])
    bench.send(message({"values": [3e38, 0, 0]}))
    status, reply = bench.next()
    assert (status, reply["error"]["reason"]) == (400, "bad_request")
    assert "ask for bytes" in reply["error"]["message"]


def test_whole_numbers_are_not_cut_in_the_short_form(tmp_path: Path) -> None:
    graph = tiny_graphs.model(
        [helper.make_node("Neg", ["n"], ["less"])], [("n", "int64", ["rows", 2])], [("less", "int64", ["rows", 2])]
    )
    model = opened(tiny_graphs.write_bundle(tmp_path / "bundle", graph, TaskSpec("tensors")))
    answer = model.answer([asked(np.array([3.0, -4.0]), name="")]).answers[0]
    assert answer.rows() == [{"values": {"less": [-3, 4]}}]
    for values in ([0.5, 1.0], [2.0**53 + 2, 0.0]):
        with pytest.raises(BadTensor, match="INT64 cannot hold"):
            model.answer([asked(np.array(values), name="")])


class Counted:
    """A session that counts its runs and what it was given."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.input_names, self.rows = inner, inner.input_names, list[int]()

    def run(self, feeds: Mapping[str, Any]) -> Any:
        self.rows.append(len(feeds["x"]))
        return self.inner.run(feeds)


def asked(values: Any, name: str = "x") -> Any:
    from edgert_tools.existing.examples import ArrayInput, Row

    return Row((ArrayInput(name, values),))


def test_requests_that_are_run_together_get_their_own_rows_and_no_run_is_too_large(model: TensorModel) -> None:
    session = Counted(model._session)
    joined = TensorModel(model.manifest, session)
    rows = [np.full((count, 3), count, np.float32) for count in (1, 3, 4, 2)]
    answers = joined.answer([asked(row) for row in rows]).answers
    assert session.rows == [8, 2]  # of up to 8
    for row, answer in zip(rows, answers, strict=True):
        double, most = answer.tensors()
        assert np.array_equal(np.reshape(double.data, double.shape), 2 * row)
        assert most.shape == (len(row),)


def test_only_what_was_seen_not_to_depend_on_its_batch_is_joined(tmp_path: Path, model: TensorModel) -> None:
    assert model.joins
    fixed = tiny_graphs.model(
        [helper.make_node("Neg", ["x"], ["y"])], [("x", "float32", [2, 3])], [("y", "float32", [2, 3])]
    )
    bundle = tiny_graphs.write_bundle(tmp_path / "a", fixed, TaskSpec("tensors"), batch_invariant=True)
    assert not opened(bundle).joins
    unseen = tiny_graphs.write_bundle(tmp_path / "b", tiny_graphs.sums(), TaskSpec("tensors"))
    assert not opened(unseen).joins


def test_requests_of_several_clients_are_answered_while_joined(
    make_bench: Callable[..., Bench], model: TensorModel
) -> None:
    bench = make_bench({"tiny": model})
    numbers = range(40)
    threads = [
        threading.Thread(target=bench.send, args=(message({"inputs": [{**X, "data": [n] * 6}]}, id=str(n)),))
        for n in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    found = sorted(outputs_of(bench.next()[1])["double"][2] for _ in numbers)
    assert found == [[2 * n] * 6 for n in numbers]


def test_equal_free_dimensions_must_be_equal_in_all_inputs(tmp_path: Path) -> None:
    graph = tiny_graphs.model(
        [helper.make_node("Add", ["a", "b"], ["c"])],
        [("a", "float32", ["rows", "size"]), ("b", "float32", ["rows", "size"])],
        [("c", "float32", ["rows", "size"])],
    )
    model = opened(tiny_graphs.write_bundle(tmp_path / "b", graph, TaskSpec("tensors"), limits=Limits(16, 8)))

    def ask(a: Sequence[int], b: Sequence[int]) -> Any:
        one = asked(np.zeros(a, np.float32), "a")
        two = asked(np.zeros(b, np.float32), "b")
        return type(one)((*one.tensors, *two.tensors))

    assert model.answer([ask((2, 16), (2, 16))]).answers[0].tensors()[0].shape == (2, 16)
    with pytest.raises(BadTensor, match="with size = 16, as in another input"):
        model.check(ask((2, 16), (2, 5)))
    with pytest.raises(BadTensor, match="with size from 1 to 16"):
        model.check(ask((2, 17), (2, 17)))


def test_the_bundle_tests_itself_and_is_warmed_up_with_its_own_question(model: TensorModel, tmp_path: Path) -> None:
    folder = tiny_graphs.sums_bundle(tmp_path / "bundle")
    test = run_golden(opened(folder), folder)
    assert (test.rows, test.worst) == (1, 1.0)
    assert isinstance(model._example, PlainAsked)
    model.warm_up()


def test_a_graph_of_strings_is_refused_by_name(tmp_path: Path) -> None:
    bundle = tiny_graphs.sums_bundle(tmp_path / "bundle")
    manifest = opened(bundle).manifest
    text = (bundle / "manifest.json").read_text().replace('"dtype": "int64"', '"dtype": "object"')
    from edge_runtime.bundle.manifest import from_json

    with pytest.raises(UnsupportedModel, match="output 'most' of the graph is of strings"):
        open_tensors(bundle, from_json(text), 1)
    assert manifest.tokenizer is None


def test_the_document_tells_inputs_and_outputs_of_the_graph(model: TensorModel) -> None:
    document = model_document(model.manifest)
    assert document["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}]
    assert document["outputs"] == [
        {"name": "double", "datatype": "FP32", "shape": [-1, 3]},
        {"name": "most", "datatype": "INT64", "shape": [-1]},
    ]
