"""Export, fusion, int8 and the classifier in the graph, on a tiny real BERT; the oracle is the original model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge_runtime.errors import UnsupportedModel
from edgert_tools.checkpoint import Checkpoint, open_checkpoint
from edgert_tools.export.encoder import export_encoder
from edgert_tools.fuse import fuse, largest_difference
from edgert_tools.graph import inputs_of, keep_outputs, load_graph, opset_of, outputs_of, save_graph
from edgert_tools.head import PREFIX, attach_head, train_head
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.scheme import facts_of
from edgert_tools.recipe import SCHEMES, TaskName
from tests.tools import checkpoints

IDS = np.array([[2, 58, 59, 61, 62, 3], [2, 64, 61, 3, 0, 0], [2, 3, 0, 0, 0, 0]], np.int64)
MASK = (IDS != 0).astype(np.int64)


def opened(folder: Path) -> Checkpoint:
    return open_checkpoint(folder, model="tiny", origin="folder")


def run(file: Path, ids: np.ndarray = IDS, mask: np.ndarray = MASK) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    output: np.ndarray = session.run(None, {node.name: feeds[node.name] for node in session.get_inputs()})[0]
    return output


def original(folder: Path, task: TaskName) -> np.ndarray:
    """What transformers gives."""
    import torch
    import transformers

    auto = transformers.AutoModel if task == "embed" else transformers.AutoModelForSequenceClassification
    with torch.no_grad():
        model = auto.from_pretrained(folder).eval()
        output = model(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK))
    values: np.ndarray = (output.last_hidden_state if task == "embed" else output.logits).numpy()
    return values


@pytest.fixture(scope="module")
def exported(bert_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_encoder(opened(bert_folder), "embed", tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def fused(exported: Path, bert_folder: Path) -> Path:
    file, _ = fuse(exported, opened(bert_folder), exported.with_name("fused.onnx"))
    return file


def test_the_exported_body_gives_the_original_hidden_states(exported: Path, bert_folder: Path) -> None:
    real = MASK.astype(bool)
    assert np.abs(run(exported) - original(bert_folder, "embed"))[real].max() < 1e-4
    model = load_graph(exported)
    assert [spec.name for spec in inputs_of(model)] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {spec.dtype for spec in inputs_of(model)} == {"int64"}
    assert outputs_of(model)[0].shape[2] == 32
    assert opset_of(model) >= 14


@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_the_exported_classifier_gives_the_original_logits(tmp_path: Path, kind: str) -> None:
    folder = checkpoints.write_checkpoint(tmp_path / kind, kind, "classify")
    file = export_encoder(opened(folder), "classify", tmp_path / "work")
    assert np.abs(run(file) - original(folder, "classify")).max() < 1e-4


def test_an_unknown_kind_of_model_is_refused_with_its_name(bert_folder: Path, tmp_path: Path) -> None:
    import json
    import shutil

    folder = Path(shutil.copytree(bert_folder, tmp_path / "copy"))
    (folder / "config.json").write_text(json.dumps({"model_type": "sundial", "architectures": ["SundialModel"]}))
    with pytest.raises(UnsupportedModel, match="'sundial'"):
        export_encoder(opened(folder), "embed", tmp_path / "work")


def test_fusion_makes_one_node_of_each_attention_and_changes_nothing(exported: Path, fused: Path) -> None:
    kinds = [node.op_type for node in load_graph(fused).graph.node]
    assert kinds.count("MultiHeadAttention") == 2
    assert len(kinds) < len(load_graph(exported).graph.node) / 2
    assert largest_difference(exported, fused, checkpoints.WORDS) < 1e-4


def test_fusion_that_would_change_the_answers_is_not_taken(exported: Path, bert_folder: Path, tmp_path: Path) -> None:
    from onnx import numpy_helper

    # Attention with another scale than 1 / sqrt(width of a head): the optimizer's pattern does not look at it.
    model = load_graph(exported)
    scales = [node for node in model.graph.node if node.op_type == "Constant" and is_one(node)]
    for node in scales:
        node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.full(1, 4, np.float32)))
    file = save_graph(model, tmp_path / "scaled.onnx")
    assert len(scales) == 2
    assert np.abs(run(file) - run(exported)).max() > 0.01
    taken, said = fuse(file, opened(bert_folder), tmp_path / "fused.onnx")
    assert taken == file
    assert "outputs would differ" in said


def is_one(node: Any) -> bool:
    from onnx import numpy_helper

    value = numpy_helper.to_array(node.attribute[0].t)
    return bool(value.dtype == np.float32 and value.shape == (1,) and value[0] == 1)


def test_other_kinds_of_models_are_left_unfused(exported: Path, bert_folder: Path, tmp_path: Path) -> None:
    import dataclasses

    other = dataclasses.replace(opened(bert_folder), config={"model_type": "t5"})
    assert fuse(exported, other, tmp_path / "fused.onnx")[0] == exported


@pytest.mark.parametrize("scheme", SCHEMES)
def test_int8_is_close_and_as_batch_invariant_as_its_facts_say(fused: Path, tmp_path: Path, scheme: Any) -> None:
    file = quantize(fused, scheme, tmp_path / "int8.onnx")
    together, real = run(file), MASK.astype(bool)
    difference = np.abs(together - run(fused))[real]
    assert 0 < difference.mean() < 0.05
    alone = run(file, IDS[1:2, :4], MASK[1:2, :4])
    same = float(np.abs(alone[0] - together[1, :4]).max()) < 1e-5
    assert same == facts_of(scheme).batch_invariant


@pytest.mark.parametrize("scheme", SCHEMES)
def test_int8_twice_gives_the_same_bytes(fused: Path, tmp_path: Path, scheme: Any) -> None:
    files = [quantize(fused, scheme, tmp_path / f"{n}.onnx") for n in range(2)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size < fused.stat().st_size


def test_a_large_embedding_table_becomes_int8_blocks(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    table = np.random.default_rng(0).normal(size=(4096, 64)).astype(np.float32)
    table[7] = 0
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["b", "t"])
    out = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["b", "t", 64])
    node = helper.make_node("Gather", ["table", "input_ids"], ["vectors"], name="look_up")
    graph = helper.make_graph([node], "table", [ids], [out], [numpy_helper.from_array(table, "table")])
    float_file = tmp_path / "float.onnx"
    save_graph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), float_file)
    file = quantize(float_file, "nbits8-b32", tmp_path / "int8.onnx")
    rows = np.array([[0, 7, 4095, 100]], np.int64)
    steps = np.abs(table[rows].reshape(1, 4, 2, 32)).max(axis=-1) / 127  # one rounding step of each block
    difference = np.abs(run(file, rows, rows) - table[rows]).reshape(1, 4, 2, 32)
    assert (difference <= steps[..., None] / 2 + 1e-6).all()
    assert file.stat().st_size < 0.3 * float_file.stat().st_size


def hidden_states(rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    vectors = rng.normal(size=(90, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, [("red", "green", "blue")[n % 3] for n in range(90)]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("normalize", [True, False])
def test_logits_of_the_graph_are_scikit_learns(fused: Path, tmp_path: Path, pooling: str, normalize: bool) -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, labels = hidden_states(np.random.default_rng(1))
    file = tmp_path / "head.onnx"
    attach_head(fused, train_head(vectors, labels, 10.0), pooling, normalize, file)
    hidden = run(fused)
    weights = MASK[:, :, None].astype(np.float32)
    pooled = hidden[:, 0] if pooling == "cls" else (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    if normalize:
        pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
    oracle = LogisticRegression(C=10.0, max_iter=2000).fit(vectors, labels)
    assert np.abs(run(file) - oracle.decision_function(pooled)).max() < 1e-4
    assert [spec.name for spec in outputs_of(load_graph(file))] == ["logits"]


def test_a_head_of_two_labels_has_two_logits_with_scikit_learns_odds() -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, _ = hidden_states(np.random.default_rng(2))
    labels = ["on" if vector[0] > 0 else "off" for vector in vectors]
    head = train_head(vectors, labels, 1.0)
    logits = vectors @ head.weights.T + head.bias
    oracle = LogisticRegression(C=1.0, max_iter=2000).fit(vectors, labels)
    assert head.labels == ("off", "on")
    assert np.abs((logits[:, 1] - logits[:, 0]) - oracle.decision_function(vectors)).max() < 1e-4


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_head_stays_float(fused: Path, tmp_path: Path, scheme: Any) -> None:
    vectors, labels = hidden_states(np.random.default_rng(1))
    nodes = attach_head(fused, train_head(vectors, labels, 1.0), "mean", True, tmp_path / "head.onnx")
    model = load_graph(quantize(tmp_path / "head.onnx", scheme, tmp_path / "int8.onnx", nodes))
    head = {node.name: node.op_type for node in model.graph.node if node.name.startswith(PREFIX)}
    assert set(head) == set(nodes)
    assert head[PREFIX + "product"] == "MatMul"
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == PREFIX + "weights")
    assert weights.data_type == 1  # FLOAT


def test_only_the_first_output_and_what_it_needs_is_kept(exported: Path, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    model = load_graph(exported)
    before, nodes = run(exported), len(model.graph.node)
    hidden = model.graph.output[0].name
    model.graph.initializer.append(numpy_helper.from_array(np.ones((32, 32), np.float32), "pooler"))
    model.graph.node.append(helper.make_node("MatMul", [hidden, "pooler"], ["pooled"], name="pool"))
    model.graph.output.append(helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["b", "t", 32]))
    keep_outputs(model)
    assert len(model.graph.node) == nodes
    assert "pooler" not in {tensor.name for tensor in model.graph.initializer}
    assert np.array_equal(run(save_graph(model, tmp_path / "kept.onnx")), before)
