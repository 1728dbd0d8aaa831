import hashlib
from dataclasses import replace

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from scipy import sparse
from scipy.special import softmax
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tutelage.core.errors import BadInput, DamagedFile, NotProbabilities, ShapeError, TutelageError
from tutelage.core.stored.checksums import onnx_with_checksum
from tutelage.evaluation.evaluate import evaluate
from tutelage.exporters.export import export
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.students.cascade import Guarantee
from tutelage.students.multilabel import PerLabel
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher

X = np.random.default_rng(0).normal(size=(40, 3))
LETTERS = np.array(list("cab"))[X.argmax(axis=1)]
TWO = np.where(X.sum(axis=1) > 0, 7, 3)
WEIGHTS = np.array([[1.0, -1.0], [0.5, 2.0], [-3.0, 0.0]])


def sk(model, *, zipmap=False, **options):
    return to_onnx(model, X[:1].astype(np.float32), options={id(model): {"zipmap": zipmap, **options}}).SerializeToString()


def linear(kind=TensorProto.FLOAT, *, batch="rows", output="scores", more=()):
    """A graph that multiplies rows of the given type with WEIGHTS."""
    nodes = [helper.make_node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT), helper.make_node("MatMul", ["wide", "w"], [output])]
    graph = helper.make_graph(
        [*nodes, *more],
        "linear",
        [helper.make_tensor_value_info("x", kind, [batch, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 2]) for name in (output, *(node.output[0] for node in more))],
        [numpy_helper.from_array(WEIGHTS.astype(np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(5, random_state=0)], ids=lambda model: type(model).__name__)
def test_the_labels_and_probabilities_of_a_classifier_are_found(model, zipmap):
    teacher = as_teacher(sk(model.fit(X, LETTERS), zipmap=zipmap))
    assert (teacher.form.kind, teacher.form.classes) == ("probabilities", ("a", "b", "c"))
    np.testing.assert_allclose(teacher.answer(X.astype(np.float32)), model.predict_proba(X.astype(np.float32)), atol=1e-6)


def test_integers_are_labels_as_well():
    model = LogisticRegression().fit(X, TWO)
    for zipmap in (False, "columns"):
        teacher = as_teacher(sk(model, zipmap=zipmap))
        assert teacher.form.classes == (3, 7)
        np.testing.assert_allclose(teacher.answer(X), model.predict_proba(X), atol=1e-5)


def test_an_output_for_each_class_without_labels_is_refused_with_what_to_do():
    content = to_onnx(LogisticRegression().fit(X, LETTERS), X[:1], options={"zipmap": "columns"}).SerializeToString()
    with pytest.raises(BadInput, match=r"several outputs of numbers, \['sa', 'sb', 'sc'\].*options={id\(model\): {'zipmap': False}}"):
        as_teacher(content)


def test_the_labels_of_the_members_are_not_those_of_the_ensemble():
    members = [("a", LogisticRegression()), ("b", RandomForestClassifier(3))]
    model = VotingClassifier(members, voting="soft", flatten_transform=False).fit(X, LETTERS)
    assert as_teacher(sk(model, zipmap=True)).form.classes == ("a", "b", "c")
    with pytest.raises(BadInput, match="pass kind="):
        as_teacher(sk(model))  # the labels of its members are 0, 1, 2
    teacher = as_teacher(sk(model), kind="probabilities", classes=("a", "b", "c"))
    np.testing.assert_allclose(teacher.answer(X), model.predict_proba(X), atol=1e-5)


def test_a_graph_in_double_precision_answers_in_double_precision():
    model = LogisticRegression().fit(X, LETTERS)
    content = to_onnx(model, X[:1], options={"zipmap": False}).SerializeToString()
    teacher = as_teacher(content, kind="probabilities", classes=("a", "b", "c"))
    np.testing.assert_allclose(teacher.answer(X), model.predict_proba(X), atol=1e-12)


@pytest.mark.parametrize(
    "model", [LogisticRegression(), GradientBoostingClassifier(n_estimators=3)], ids=lambda model: type(model).__name__
)
def test_raw_scores_of_two_classes_are_log_odds(model):
    model.fit(X, TWO)
    teacher = as_teacher(sk(model, raw_scores=True), kind="logits")
    np.testing.assert_allclose(softmax(teacher.answer(X), axis=1), model.predict_proba(X), atol=1e-5)


def test_raw_scores_are_refused_as_probabilities():
    content = sk(LogisticRegression().fit(X, LETTERS), raw_scores=True)
    with pytest.raises(NotProbabilities, match=r"the ONNX file's answers.*an export with raw_scores, pass kind='logits'"):
        as_teacher(content).answer(X)
    assert as_teacher(content, kind="logits").answer(X).shape == (len(X), 3)


def test_multilabel_is_declared():
    model = MLPClassifier((4,), tol=0.1, max_iter=2000, random_state=0).fit(X, (X > 0).astype(int))
    teacher = as_teacher(sk(model), kind="probabilities", classes=("x", "y", "z"), task="multilabel")
    np.testing.assert_allclose(teacher.answer(X), model.predict_proba(X), atol=1e-5)


def test_regression_is_declared():
    content = to_onnx(LinearRegression().fit(X, X[:, 0]), X[:1].astype(np.float32)).SerializeToString()
    np.testing.assert_allclose(as_teacher(content, task="regression").answer(X), X[:, :1], atol=1e-5)
    np.testing.assert_allclose(as_teacher(content, kind="values").answer(X), X[:, :1], atol=1e-5)


WHOLE = np.arange(12).reshape(4, 3)


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8]
)
@pytest.mark.parametrize(
    "rows",
    [
        WHOLE,
        WHOLE.astype(np.float64),
        WHOLE.astype(np.float32),
        WHOLE.tolist(),
        torch.tensor(WHOLE),
        sparse.csr_matrix(WHOLE),
        pd.DataFrame(WHOLE),
        pl.DataFrame(WHOLE),
    ],
)
def test_rows_are_converted_to_the_input_type_of_the_graph(kind, rows):
    teacher = as_teacher(linear(kind).SerializeToString(), kind="logits", classes=(0, 1))
    np.testing.assert_allclose(teacher.answer(rows), WHOLE @ WEIGHTS, rtol=1e-3)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (TensorProto.INT64, WHOLE + 0.5),
        (TensorProto.INT64, np.full((2, 3), np.nan)),
        (TensorProto.UINT8, WHOLE - 1),
        (TensorProto.UINT8, WHOLE + 250),
        (TensorProto.FLOAT, [["a", "b", "c"]]),
    ],
)
def test_numbers_outside_the_input_type_of_the_graph_are_refused(kind, rows):
    with pytest.raises(BadInput, match=r"takes tensor\(\w+\) for 'x'; the rows hold .* that do not fit|column 'x\[0\]' holds 'a' in row 0"):
        as_teacher(linear(kind).SerializeToString(), kind="logits", classes=(0, 1)).answer(rows)


def test_a_wrong_number_of_columns_is_refused_in_one_sentence():
    with pytest.raises(BadInput, match=r"the ONNX file cannot take these rows \(.*Got: 2 Expected: 3"):
        as_teacher(linear().SerializeToString(), kind="logits", classes=(0, 1)).answer(X[:, :2])


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 100])
def test_a_graph_with_a_fixed_batch_size_answers_any_number_of_rows(batch):
    teacher = as_teacher(linear(batch=batch).SerializeToString(), kind="logits", classes=(0, 1))
    np.testing.assert_allclose(teacher.answer(X[:7]), X[:7] @ WEIGHTS, rtol=1e-4)


def test_columns_of_a_frame_are_matched_to_inputs_by_name():
    frame = pd.DataFrame({"size": X[:, 0], "colour": np.where(X[:, 1] > 0, "red", "blue")})
    columns = make_column_transformer((OneHotEncoder(), ["colour"]), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(frame, LETTERS)
    inputs = [("size", FloatTensorType([None, 1])), ("colour", StringTensorType([None, 1]))]
    teacher = as_teacher(to_onnx(model, initial_types=inputs, options={"zipmap": False}).SerializeToString())
    for rows in (frame, frame[["colour", "size"]].assign(more=1), pl.from_pandas(frame), frame.astype({"colour": "category"})):
        np.testing.assert_allclose(teacher.answer(rows), model.predict_proba(frame), atol=1e-5)
    with pytest.raises(BadInput, match="the rows lack the columns 'colour'"):
        teacher.answer(frame[["size"]])
    with pytest.raises(BadInput, match=r"takes the columns \['size', 'colour'\], .*; pass a frame"):
        teacher.answer(X)


def of_columns():
    """A graph with a text, a whole number, a truth value and a number as inputs, and its answers to them."""
    inputs = {"t": TensorProto.STRING, "i": TensorProto.INT64, "b": TensorProto.BOOL, "x": TensorProto.FLOAT}
    lengths = {"keys_strings": ["red", "blue"], "values_floats": [1.0, 2.0], "default_float": 0.0}
    nodes = [
        helper.make_node("LabelEncoder", ["t"], ["tf"], domain="ai.onnx.ml", **lengths),
        *(helper.make_node("Cast", [name], [f"{name}f"], to=TensorProto.FLOAT) for name in ("i", "b")),
        helper.make_node("Sum", ["tf", "if", "bf", "x"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "columns",
        [helper.make_tensor_value_info(name, kind, ["n", 1]) for name, kind in inputs.items()],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


COLUMNS = pd.DataFrame({"x": [0.5, 0.25], "b": [True, False], "t": ["blue", "red"], "i": [10, 2**20], "more": 1})


@pytest.mark.parametrize(
    "rows",
    [
        COLUMNS,
        COLUMNS.astype(object),
        COLUMNS.astype({"x": str, "b": str, "i": str}),
        COLUMNS.astype({"t": "category", "i": "Int64", "b": int}),
        COLUMNS.convert_dtypes(dtype_backend="pyarrow"),
        pl.from_pandas(COLUMNS),
        pa.table(COLUMNS),
        COLUMNS.astype({"i": float, "x": ">f8"}),
    ],
    ids=["pandas", "objects", "texts", "mixed", "Arrow dtypes", "polars", "Arrow", "floats"],
)
def test_columns_take_the_types_of_their_inputs(rows):
    teacher = as_teacher(of_columns(), kind="values")
    assert [(column.name, column.type) for column in teacher.schema.columns] == [
        ("t", "text"),
        ("i", "number"),
        ("b", "boolean"),
        ("x", "number"),
    ]
    np.testing.assert_array_equal(teacher.answer(rows), [[13.5], [2**20 + 1.25]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t": 7}, "column 't' holds 7 in row 0; expected texts"),
        ({"t": ["red", None]}, "column 't' has a missing text in row 1"),
        ({"i": 0.5}, r"takes tensor\(int64\) for 'i'; the rows hold float64 that do not fit \(such as 0.5\)"),
        ({"i": [1, None]}, r"takes tensor\(int64\) for 'i'; the rows hold float64 that do not fit \(such as nan\)"),
        ({"i": "q"}, "column 'i' holds 'q' in row 0; expected numbers"),
        ({"b": "maybe"}, "column 'b' holds 'maybe' in row 0; expected true and false"),
        ({"b": 2}, r"takes tensor\(bool\) for 'b'; the rows hold int64 that do not fit"),
        ({"x": 1e39}, r"takes tensor\(float\) for 'x'; the rows hold float64 that do not fit"),
        ({"x": pd.Timestamp("2026-01-01")}, "column 'x' holds .* in row 0; expected numbers"),
    ],
)
def test_cells_that_an_input_cannot_hold_are_refused(change, message):
    with pytest.raises(BadInput, match=message):
        as_teacher(of_columns(), kind="values").answer(COLUMNS.assign(**change))


def test_whole_numbers_beyond_a_double_are_exact():
    teacher = as_teacher(linear(TensorProto.INT64).SerializeToString(), kind="logits", classes=(0, 1))
    np.testing.assert_allclose(teacher.answer(np.full((1, 3), 2**53 + 1)), np.full((1, 3), 2.0**53) @ WEIGHTS, rtol=1e-6)


def test_a_graph_with_a_single_input_has_no_schema():
    assert as_teacher(linear().SerializeToString(), kind="logits", classes=(0, 1)).schema is None


def test_a_graph_with_text_input_accepts_texts():
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit([["red"], ["blue"]] * 5, [0, 1] * 5)
    content = to_onnx(model, initial_types=[("text", StringTensorType([None, 1]))], options={"zipmap": False}).SerializeToString()
    for rows in (["red", "blue"], [["red"], ["blue"]], pd.DataFrame({"text": ["red", "blue"]})):
        np.testing.assert_allclose(as_teacher(content).answer(rows), model.predict_proba([["red"], ["blue"]]), atol=1e-5)


def test_a_single_logit_belongs_to_the_second_of_two_classes():
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["scores", "axis"], ["one"], keepdims=0)],
        "one",
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("one", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    np.testing.assert_allclose(as_teacher(content, kind="logits", classes=(0, 1)).answer(np.ones((2, 2))), [[0, 2], [0, 2]])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, BadInput, "pass kind="),
        ({"kind": "logits"}, BadInput, "pass classes="),
        ({"kind": "logits", "classes": (0, 1), "task": "regression"}, BadInput, "do not fit the task"),
        ({"kind": "logits", "classes": (0, 1), "output": len}, BadInput, "leave output= out"),
    ],
)
def test_kind_and_classes_of_a_plain_graph_must_be_declared(options, error, message):
    with pytest.raises(error, match=message):
        as_teacher(linear().SerializeToString(), **options)


def test_declared_classes_must_equal_the_stored_labels():
    content = sk(LogisticRegression().fit(X, LETTERS))
    assert as_teacher(content, classes=("a", "b", "c"), kind="probabilities").form.classes == ("a", "b", "c")
    with pytest.raises(BadInput, match=r"classes= differs from the labels in the ONNX file, \['a', 'b', 'c'\]: .* relabelled"):
        as_teacher(content, classes=("c", "a", "b"))


def test_the_number_of_declared_classes_must_equal_the_columns():
    with pytest.raises(ShapeError, match="have 2 columns; expected 3"):
        as_teacher(linear().SerializeToString(), kind="logits", classes=(0, 1, 2)).answer(X)


def test_several_outputs_of_numbers_are_refused():
    content = linear(more=[helper.make_node("Softmax", ["scores"], ["shares"])]).SerializeToString()
    with pytest.raises(BadInput, match=r"several outputs of numbers, \['scores', 'shares'\]"):
        as_teacher(content, kind="logits", classes=(0, 1))


def test_no_rows_are_refused():
    with pytest.raises(ShapeError, match="no rows"):
        as_teacher(linear().SerializeToString(), kind="logits", classes=(0, 1)).answer(X[:0])


@pytest.mark.parametrize("content", [b"", b"no graph", linear().SerializeToString()[:100]])
def test_damaged_bytes_and_files_are_refused(content, tmp_path):
    path = tmp_path / "teacher.onnx"
    path.write_bytes(content)
    for source, source_name in ((content, "the content of the given bytes"), (path, r"teacher\.onnx"), (str(path), r"teacher\.onnx")):
        with pytest.raises(DamagedFile, match=f"{source_name} is not an ONNX graph that can be run"):
            as_teacher(source, kind="logits", classes=(0, 1))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"there is no file .*none\.onnx"):
        as_teacher(tmp_path / "none.onnx")


def test_the_fingerprint_is_the_hash_of_the_bytes(tmp_path):
    path, content = tmp_path / "teacher.onnx", linear().SerializeToString()
    path.write_bytes(content)
    fingerprints = {as_teacher(source, kind="logits", classes=(0, 1)).fingerprint for source in (path, str(path), content)}
    assert fingerprints == {f"onnx:{hashlib.sha256(content).hexdigest()}"}


def test_external_weights_are_found_and_belong_to_the_fingerprint(tmp_path):
    path = tmp_path / "teacher.onnx"
    onnx.save(linear(), path, save_as_external_data=True, location="weights.data", size_threshold=0)
    teacher = as_teacher(path, kind="logits", classes=(0, 1))
    np.testing.assert_allclose(teacher.answer(X), X @ WEIGHTS, rtol=1e-4)
    data = bytearray((tmp_path / "weights.data").read_bytes())
    data[3] ^= 1
    (tmp_path / "weights.data").write_bytes(data)
    assert as_teacher(path, kind="logits", classes=(0, 1)).fingerprint != teacher.fingerprint
    (tmp_path / "weights.data").unlink()
    with pytest.raises(DamagedFile, match=r"teacher\.onnx is not an ONNX graph that can be run"):
        as_teacher(path, kind="logits", classes=(0, 1))


class Counting:
    """A session that notes how many rows a run takes."""

    def __init__(self, session):
        self.session, self.rows = session, []

    def __getattr__(self, name):
        return getattr(self.session, name)

    def run(self, outputs, feeds):
        (rows,) = feeds.values()
        self.rows.append(len(rows))
        return self.session.run(outputs, feeds)


@pytest.mark.parametrize("rows", [np.arange(9000).reshape(3000, 3), sparse.csr_matrix(np.arange(9000).reshape(3000, 3))])
def test_rows_are_run_in_batches_with_the_same_answers(rows):
    teacher = as_teacher(linear().SerializeToString(), kind="logits", classes=(0, 1))
    counting = Counting(teacher.session)
    answers = replace(teacher, session=counting).answer(rows)
    assert counting.rows == [1000, 1000, 1000]
    np.testing.assert_allclose(answers, rows @ WEIGHTS, rtol=1e-6)


def test_wide_rows_are_run_in_smaller_batches():
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("ReduceSum", ["flat", "axis"], ["sums"])],
        "sums",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 200, 200])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    teacher = as_teacher(content, kind="values")
    counting = Counting(teacher.session)
    assert replace(teacher, session=counting).answer(np.ones((40, 3, 200, 200), dtype=np.float32)).tolist() == [[120_000.0]] * 40
    assert max(counting.rows) == 17


def exported(tmp_path, **classes):
    student = SoftTree(max_leaf_nodes=4).fit(X, np.random.default_rng(0).dirichlet(np.ones(3), 40), **classes)
    export(student, tmp_path / "tree.onnx", check_on=X)
    return student, tmp_path / "tree.onnx"


def test_declarations_about_a_file_of_tutelage_must_be_what_it_says(tmp_path):
    student, path = exported(tmp_path, classes=["a", "b", "c"])
    teacher = as_teacher(path, kind="probabilities", classes=("a", "b", "c"))
    np.testing.assert_allclose(teacher.answer(X), student.predict_proba(X), atol=1e-6)
    for declared in ({"classes": ("c", "a", "b")}, {"kind": "logits"}, {"task": "multilabel"}):
        with pytest.raises(BadInput, match=r"but the file was exported with .*: leave \w+= out"):
            as_teacher(path, **declared)


def test_a_file_of_tutelage_with_damaged_metadata_is_refused(tmp_path):
    _, path = exported(tmp_path)
    model = onnx.load(path)
    for entry in model.metadata_props:
        if entry.key == "classes":
            entry.value = "[0, 1"
    with pytest.raises(DamagedFile, match=r"given bytes was changed after tutelage exported it \(its checksum differs\)"):
        as_teacher(model.SerializeToString())
    del model.metadata_props[-1]
    with pytest.raises(DamagedFile, match="the file's metadata is not what tutelage writes"):
        as_teacher(onnx_with_checksum(model))


def resealed(path, **metadata):
    """The content of a file of tutelage with other metadata, or without its first output, and a checksum that holds."""
    model = onnx.load(path)
    if metadata.pop("without_answers", False):
        del model.graph.output[0]
    stored = {entry.key: entry.value for entry in model.metadata_props if entry.key != "checksum"} | metadata
    del model.metadata_props[:]
    for key, value in stored.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    return onnx_with_checksum(model)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        *(({key: None}, "the file's metadata is not what tutelage writes") for key in ("kind", "task", "classes", "columns")),
        ({"classes": "[" * 100_000}, "the file's metadata is not what tutelage writes"),
        ({"columns": '[{"name": 1, "type": "number"}]'}, "the file's metadata is not what tutelage writes"),
        ({"columns": '[{"name": "a", "type": "number"}]'}, "are not those that it describes"),
        ({"classes": '["a", "b", "c", "d"]'}, "are not those that it describes"),
        ({"kind": '"logits"'}, "are not those that it describes"),
        ({"task": '"regression"', "kind": '"values"', "classes": "[]"}, "are not those that it describes"),
        ({"without_answers": True}, "are not those that it describes"),
    ],
    ids=str,
)
def test_a_graph_that_is_not_what_its_metadata_says_is_refused(metadata, sentence, tmp_path):
    _, path = exported(tmp_path, classes=["a", "b", "c"])
    with pytest.raises(DamagedFile, match=sentence):
        as_teacher(resealed(path, **metadata))


def hostile(dims=(2, 3), *, raw=bytes(24), kind=TensorProto.FLOAT, location=None, nodes=None, opset=17, rows="n"):
    weights = TensorProto(name="w", data_type=kind, dims=dims, raw_data=b"" if location else raw)
    if location:
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=location)
    graph = helper.make_graph(
        nodes or [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [rows, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, 3])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8).SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello world" * 10,
        hostile()[:60],
        hostile((2**40, 2**20)),
        hostile((-2, 3)),
        hostile(raw=bytes(4)),
        hostile(kind=99),
        hostile(location="../../../../etc/passwd"),
        hostile(location="/etc/passwd"),
        hostile(location="*/_ORT_MEM_ADDR_/*"),
        hostile(opset=999),
        hostile(nodes=[helper.make_node("Nope", ["x"], ["y"])]),
        hostile(nodes=[helper.make_node("Add", ["y", "x"], ["z"]), helper.make_node("Add", ["z", "x"], ["y"])]),
        hostile(rows=10**9),
    ],
    ids=range(14),
)
def test_hostile_models_are_one_sentence(content, tmp_path):
    (tmp_path / "model.onnx").write_bytes(content)
    for source in (tmp_path / "model.onnx", content):
        with pytest.raises(TutelageError) as refusal:
            as_teacher(source, kind="values").answer(np.ones((4, 2), dtype=np.float32))
        assert len(str(refusal.value)) < 400
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("threshold", [None, 0.8])
def test_a_file_with_a_threshold_says_which_rows_it_defers(tmp_path, threshold):
    student = SoftTree(max_leaf_nodes=3, random_state=0).fit(X, LETTERS)
    guarantee = None if threshold is None else Guarantee(threshold, 0.9, 0.05, "teacher", "all", 1000, 500, 1, 1000, "0" * 64)
    export(student if guarantee is None else with_threshold(student, guarantee), tmp_path / "s.onnx", check_on=X)
    teacher = as_teacher(str(tmp_path / "s.onnx"))
    rows = np.tile(X, (60, 1))  # several batches
    answers, decided, deferred = teacher.answer_and_decide(rows)
    assert decided.tolist() == answers.argmax(axis=1).tolist()
    assert answers.tolist() == teacher.answer(rows).tolist()
    if threshold is None:
        assert deferred is None
    else:
        assert deferred.tolist() == (answers.max(axis=1) < threshold).tolist()
        assert 0 < deferred.sum() < len(rows)


def test_several_columns_of_texts_in_one_input_are_answered_row_by_row():
    lengths = {"keys_strings": ["red", "blue"], "values_floats": [1.0, 2.0], "default_float": 0.0}
    nodes = [
        helper.make_node("LabelEncoder", ["texts"], ["codes"], domain="ai.onnx.ml", **lengths),
        helper.make_node("ReduceSum", ["codes", "axes"], ["scores"], keepdims=1),
    ]
    graph = helper.make_graph(
        nodes,
        "texts",
        [helper.make_tensor_value_info("texts", TensorProto.STRING, ["n", 2])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    teacher = as_teacher(content, kind="values", task="regression")
    rows = np.array([["red", "blue"], ["blue", "blue"], ["x" * 100_000, "red"]] * 200, dtype=object)
    np.testing.assert_array_equal(teacher.answer(rows).ravel(), [3.0, 4.0, 1.0] * 200)


def test_a_file_of_tutelage_decides_before_its_probabilities_are_rounded(tmp_path):
    rows = np.arange(4.0)[:, None]
    almost = 0.5 - 1e-12  # one half in single precision
    p = np.array([[0.9, 0.1], [almost, 1 - almost], [0.8, 0.2], [0.2, 0.8]])
    for student, form in (
        (SoftTree().fit(rows, p, classes=["no", "yes"]), "binary"),
        (SoftTree().fit(rows, p, classes=[1, "unsure"]), "binary"),
        (PerLabel(SoftTree()).fit(rows, p, classes=["a", "b"]), "multilabel"),
    ):
        export(student, tmp_path / "s.onnx", check_on=rows)
        teacher = as_teacher(str(tmp_path / "s.onnx"))
        assert teacher.form.task == form
        np.testing.assert_array_equal(teacher.decide(rows), student.predict(rows))
        rounded = teacher.answer(rows)
        most_probable = (rounded > 0.5).tolist() if form == "multilabel" else rounded.argmax(axis=1).tolist()
        assert most_probable != teacher.answer_and_decide(rows)[1].tolist()
        aligned = evaluate(student, teacher, rows, budget_seconds=None, resamples=100).row_answers()
        np.testing.assert_array_equal(aligned.decided("student"), aligned.decided("teacher"))


def test_a_file_of_another_program_has_no_rule_of_its_own():
    teacher = as_teacher(sk(LogisticRegression().fit(X, LETTERS)))
    assert teacher.decide(X) is None
    assert teacher.answer_and_decide(X)[1:] == (None, None)
