"""Every scheme on a small graph with an outlier channel: how far off it is, what it does not depend on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_runtime.errors import UsageError
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.scheme import SEARCHED, facts_of, parse_scheme
from tests.tools.quantization import outliers
from tests.tools.quantization.outliers import relative_error, run

ROWS = outliers.rows()
NAMES = [*SEARCHED, "mixed-static-50", "mixed-50-float", "qdq-s8s8-minmax", "qdq-u8s8-entropy", "qdq-u8s8-minmax-all"]


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return outliers.write(tmp_path_factory.mktemp("graph") / "float.onnx")


def built(float_file: Path, folder: Path, scheme: str) -> Path:
    folder.mkdir(exist_ok=True)
    return quantize(float_file, scheme, folder / "int8.onnx", rows=ROWS)


def operators(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file).graph.node]


@pytest.mark.parametrize("name", NAMES)
def test_twice_gives_the_same_bytes_and_another_graph_than_float(float_file: Path, tmp_path: Path, name: str) -> None:
    files = [built(float_file, tmp_path / part, name) for part in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert 0 < relative_error(files[0], float_file, ROWS[0]) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_depends_on_its_neighbours_only_where_the_facts_say_so(
    float_file: Path, tmp_path: Path, name: str
) -> None:
    file = built(float_file, tmp_path, name)
    # Next to the texts that were not calibrated on: a scale of one tensor at each run is theirs together.
    batch = np.arange(outliers.ROWS, dtype=np.int64).reshape(5, 10)
    together = run(file, {"input_ids": batch})
    alone = np.concatenate([run(file, {"input_ids": batch[number : number + 1]}) for number in range(5)])
    assert np.allclose(together, alone, atol=1e-6) == facts_of(name).batch_invariant


@pytest.mark.parametrize("activations", ["dynamic", "static", "rows"])
def test_smoothing_takes_most_of_an_outlier_channels_error_away(
    float_file: Path, tmp_path: Path, activations: str
) -> None:
    smooth = built(float_file, tmp_path, f"{activations}-s8-smooth")
    plain = quantize(float_file, "dynamic-s8", tmp_path / "plain.onnx")
    errors = [np.mean([relative_error(file, float_file, row) for row in ROWS]) for file in (smooth, plain)]
    assert errors[0] < 0.4 * errors[1]


@pytest.mark.parametrize("opset", [13, 17, 18])
def test_rows_of_every_opset_and_a_row_of_zeros_stay_numbers(tmp_path: Path, opset: int) -> None:
    model = outliers.graph(opset=opset)
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    values = onnx.numpy_helper.to_array(table).copy()
    values[7] = 0
    table.CopyFrom(onnx.numpy_helper.from_array(values, "table"))
    onnx.save(model, tmp_path / "float.onnx")
    file = quantize(tmp_path / "float.onnx", "rows-s8-smooth", tmp_path / "int8.onnx", rows=ROWS)
    answer = run(file, {"input_ids": np.array([[7, 1, 7]], np.int64)})
    assert np.isfinite(answer).all()
    assert not answer[0, 0].any()


def test_the_share_of_products_that_are_not_int8_grows_with_the_number_in_the_name(
    float_file: Path, tmp_path: Path
) -> None:
    finer = [operators(built(float_file, tmp_path, f"mixed-{share}")).count("MatMulNBits") for share in (1, 99)]
    assert finer == [1, 2]
    floats = operators(built(float_file, tmp_path, "mixed-1-float"))
    assert (floats.count("MatMul"), floats.count("MatMulIntegerToFloat"), floats.count("MatMulNBits")) == (1, 1, 0)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_to_stay_float_stays(float_file: Path, tmp_path: Path, name: str) -> None:
    file = quantize(float_file, name, tmp_path / "int8.onnx", [outliers.SECOND], ROWS)
    node = next(node for node in onnx.load(file).graph.node if node.name == outliers.SECOND)
    assert (node.op_type, node.input[1]) == ("MatMul", "weights_1")


def test_a_tensor_that_three_products_share_is_quantized_once(tmp_path: Path) -> None:
    model = outliers.graph()
    for number in range(2):
        model.graph.node.append(
            onnx.helper.make_node("MatMul", ["vectors", "weights_0"], [f"more_{number}"], name=f"more_{number}")
        )
    onnx.save(model, tmp_path / "float.onnx")
    for name in ("dynamic-s8-smooth", "static-s8-smooth", "rows-s8-smooth"):
        kinds = operators(quantize(tmp_path / "float.onnx", name, tmp_path / "int8.onnx", rows=ROWS))
        assert kinds.count("MatMulIntegerToFloat") == 4
        assert kinds.count("QuantizeLinear") + kinds.count("DynamicQuantizeLinear") == 2


@pytest.mark.parametrize("name", [name for name in NAMES if (scheme := parse_scheme(name)) and scheme.calibrated])
def test_a_calibrated_scheme_without_rows_is_refused_with_the_remedy(
    float_file: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="--data"):
        quantize(float_file, name, tmp_path / "int8.onnx")
    assert not (tmp_path / "int8.onnx").exists()


@pytest.mark.parametrize("name", ["float32", "int3", ""])
def test_an_unknown_scheme_is_refused(float_file: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no int8 scheme"):
        quantize(float_file, name, tmp_path / "int8.onnx")


def test_the_last_bits_of_a_calibration_do_not_change_the_bytes(float_file: Path, tmp_path: Path) -> None:
    # Another processor sums in another order; what it sees differs by 1e-7.
    model = outliers.graph()
    table = next(tensor for tensor in model.graph.initializer if tensor.name == "table")
    nudged = onnx.numpy_helper.to_array(table) * np.float32(1 + 3e-7)
    from edgert_tools.quantization.calibration import observe
    from edgert_tools.quantization.products import products_of
    from edgert_tools.quantization.smoothing import smooth, span_of

    products = products_of(model)[:1]
    seen = observe(model, ["vectors"], ROWS)["vectors"]
    scale = nudged.max() / onnx.numpy_helper.to_array(table).max()
    other = dataclasses.replace(seen, lowest=seen.lowest * scale, highest=seen.highest * scale)
    for activations in ("dynamic", "static", "rows"):
        factors = [smooth(products, one, activations) for one in (seen, other)]  # type: ignore[arg-type]
        assert factors[0] is not None
        assert factors[1] is not None
        assert np.array_equal(factors[0], factors[1])
        assert span_of(seen, factors[0]) == span_of(other, factors[1])
