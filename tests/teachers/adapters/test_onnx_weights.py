import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.teachers.adapt import as_teacher

ROWS = np.ones((2, 3), dtype=np.float32)


def outside(location):
    """A tensor that claims to be stored in a file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def model(location, place):
    """A graph of which a weight, a constant, or a constant in a branch is stored in a file."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["scores"])]
    weights = [outside(location)] if place == "weight" else []
    if place == "constant":
        nodes.insert(0, helper.make_node("Constant", [], ["w"], value=outside(location)))
    elif place == "branch":
        branch = helper.make_graph(
            [helper.make_node("Constant", [], ["c"], value=outside(location))],
            "branch",
            [],
            [helper.make_tensor_value_info("c", TensorProto.FLOAT, [3, 2])],
        )
        nodes.insert(0, helper.make_node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch))
        weights = [numpy_helper.from_array(np.array(True), "yes")]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 2])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "secret").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    (tmp_path / "model").mkdir()
    return tmp_path / "model"


def opened(folder, location, place="weight"):
    (folder / "model.onnx").write_bytes(model(location, place).SerializeToString())
    return as_teacher(folder / "model.onnx", kind="logits", classes=(0, 1))


@pytest.mark.parametrize("place", ["weight", "constant", "branch"])
@pytest.mark.parametrize("location", ["../secret", "SECRET", "/dev/zero", "link", "folder/../../secret", "linked/secret"])
def test_weights_outside_the_folder_are_refused_before_they_are_read(location, place, folder):
    (folder / "link").symlink_to(folder.parent / "secret")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "folder").mkdir()
    location = str(folder.parent / "secret") if location == "SECRET" else location
    with pytest.raises(BadInput, match="outside the folder of the model; nothing outside it is read"):
        opened(folder, location, place)


@pytest.mark.parametrize("location", ["none", "", ".", "*/_ORT_MEM_ADDR_/*", "pipe"])
def test_weights_that_are_no_file_are_refused(location, folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(DamagedFile, match=r"model.onnx is not an ONNX graph that can be run \(its weights, '.*', are no file\)"):
        opened(folder, location)


def test_a_name_that_no_file_can_have_is_refused(folder):
    with pytest.raises((BadInput, DamagedFile), match=r"model\.onnx"):
        opened(folder, "a\0b")


def test_weights_inside_the_folder_are_read_and_belong_to_the_fingerprint(folder):
    (folder / "below").mkdir()
    (folder / "below" / "weights").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    teacher = opened(folder, "below/weights")
    np.testing.assert_allclose(teacher.answer(ROWS), ROWS @ np.arange(6).reshape(3, 2))
    (folder / "below" / "weights").write_bytes(np.ones(6, dtype=np.float32).tobytes())
    assert opened(folder, "below/weights").fingerprint != teacher.fingerprint


def test_the_bytes_of_a_model_with_weights_elsewhere_are_refused(folder):
    content = model("weights", "weight").SerializeToString()
    assert onnx.load_from_string(content)
    with pytest.raises(BadInput, match="stores its weights in the file 'weights'; pass the path of the model, not its bytes"):
        as_teacher(content, kind="logits", classes=(0, 1))
