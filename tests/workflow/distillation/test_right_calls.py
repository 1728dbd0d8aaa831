"""The containers of rows and settings that `distill` takes give the same results."""

from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import tutelage as tl

pytestmark = pytest.mark.usefixtures("unchecked")


def figures(found):
    return {arm.name: arm.test["accuracy"] for arm in found.arms}


def test_tensors_lists_and_generators_are_taken(half_moons, finished, tmp_path):
    torch = pytest.importorskip("torch")
    X, y = half_moons.X, half_moons.y
    assert figures(half_moons.distill(tmp_path / "tensors", X=torch.tensor(X), y=torch.tensor(y))) == figures(finished)
    generators = {"students": (name for name in ["tree"]), "export": (end for end in ["py"])}
    assert figures(half_moons.distill(tmp_path / "lists", X=X.tolist(), y=y.tolist(), **generators)) == figures(finished)


@pytest.fixture(scope="module")
def frames(half_moons):
    """The same rows as a frame, and a teacher of frames."""
    X = pd.DataFrame(half_moons.X, columns=["a", "b"])
    return replace(half_moons, X=X, teacher=clone(half_moons.teacher).fit(X[150:], half_moons.y[150:]))


@pytest.mark.exhaustive
def test_columns_of_test_rows_and_pool_may_be_in_another_order(frames, tmp_path):
    rows, others = {"X": frames.X[:100], "y": frames.y[:100]}, frames.X[100:]
    given = {"test": (others, frames.y[100:]), "pool": others + 0.01}
    swapped = {"test": (others[["b", "a"]], frames.y[100:]), "pool": (others + 0.01)[["b", "a"]]}
    in_order, in_another = (frames.distill(tmp_path / name, **rows, **one) for name, one in (("a", given), ("b", swapped)))
    assert figures(in_order) == figures(in_another)


@pytest.mark.exhaustive
def test_equal_rows_in_another_order_of_columns_are_found(frames, tmp_path):
    test = (pd.concat([frames.X[:60] + 0.01, frames.X[60:70]])[["b", "a"]], frames.y[:70])
    found = frames.distill(tmp_path / "run", test=test)
    assert found.record.rows["removed"]["equal to a test row"] == 10


def test_without_ground_truth_the_teacher_is_not_compared_with_itself(half_moons, tmp_path):
    found = half_moons.distill(tmp_path / "run", y=None).record
    assert found.against == "teacher"
    assert all(one.b != "teacher" for one in found.comparisons)
    assert "difference from the teacher" not in found.answer


@pytest.mark.exhaustive
def test_a_plain_model_that_is_better_is_in_the_answer_though_its_student_was_not_asked_for(tmp_path):
    rows = np.random.default_rng(0).normal(size=(1200, 6))
    truth = (rows.sum(axis=1) > 0).astype(int)
    teacher = LogisticRegression().fit(rows[:300], truth[:300])
    settings = {"students": "tree", "trials": 1, "seeds": 5, "export": "py", "into": tmp_path / "run"}
    found = tl.distill(teacher, rows[350:], truth[350:], pool=rows[300:350], **settings)
    assert found.chosen.student == "tree"
    assert found.verdict.startswith("Do not distil.")
    assert "plain logistic model of the ground truth is better than the chosen student" in found.verdict


PICTURES = np.random.default_rng(0).integers(0, 256, size=(300, 1, 8, 8)).astype(np.uint8)
BRIGHT = np.where(PICTURES[:, :, :, :4].mean(axis=(1, 2, 3)) > PICTURES[:, :, :, 4:].mean(axis=(1, 2, 3)), "left", "right")


class OfPictures(LogisticRegression):
    """It takes pictures only."""

    def fit(self, X, y):
        assert X.shape[1:] == (1, 8, 8)
        return super().fit(X.reshape(len(X), -1) / 255, y)

    def predict_proba(self, X):
        assert X.shape[1:] == (1, 8, 8)
        assert X.dtype == np.uint8
        return super().predict_proba(X.reshape(len(X), -1) / 255)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.mark.exhaustive
def test_pictures_keep_their_shape_and_type_from_teacher_to_file(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    teacher = OfPictures(max_iter=500).fit(PICTURES[:100], BRIGHT[:100])
    settings = {"students": ["tree", "logistic"], "trials": 2, "seeds": 2, "show_rows": True, "into": tmp_path / "run"}
    found = tl.distill(teacher, PICTURES[100:], BRIGHT[100:], **settings)
    assert "answers, more rows" in [arm.name for arm in found.arms]
    assert not [note for note in found.record.notes if "left out" in note]
    student, rows = tl.load_student(tmp_path / "run"), PICTURES[:100]
    session = onnxruntime.InferenceSession(tmp_path / "run" / "student.onnx")
    (given,) = session.get_inputs()
    assert given.shape == ["rows", 1, 8, 8]
    labels, probabilities = session.run(
        ["label", "probabilities"], {given.name: rows.astype({"tensor(float)": "f4"}.get(given.type, "f8"))}
    )
    assert labels.tolist() == student.predict(rows).tolist()
    np.testing.assert_allclose(probabilities, student.predict_proba(rows), atol=1e-6)
    assert tl.evaluate(student, teacher, rows, BRIGHT[:100]).rows == 100


@pytest.mark.exhaustive
def test_a_series_or_an_array_of_texts_is_a_list_of_texts(half_moons, tmp_path):
    words = np.random.default_rng(0).choice(["fine", "good", "bad", "poor"], size=(300, 4))
    texts, truth = [" ".join(row) for row in words], np.isin(words, ["fine", "good"]).sum(axis=1) > 2

    def chances(rows):
        assert isinstance(rows, list)
        good = np.array([sum(text.count(word) for word in ("fine", "good")) for text in rows]) / 4
        return np.column_stack([1 - good, good])

    teacher = tl.as_teacher(chances, kind="probabilities", classes=(False, True), version="1")
    given = {"teacher": teacher, "y": truth, "students": ["logistic"]}
    expected = figures(half_moons.distill(tmp_path / "list", X=texts, **given))
    for name, rows in {"array": np.array(texts), "objects": np.array(texts, dtype=object), "series": pd.Series(texts)}.items():
        assert figures(half_moons.distill(tmp_path / name, X=rows, **given)) == expected


def test_the_report_names_the_model_and_not_what_wraps_it(half_moons, tmp_path):
    """A teacher that `as_teacher` wrapped is named by its model; a file by its name."""
    from tutelage.workflow.distillation.distill import _title_of

    tl.export(half_moons.teacher, tmp_path / "teacher.onnx", check_on=half_moons.X)
    wrapped = tl.as_teacher(half_moons.teacher), tl.as_teacher(tmp_path / "teacher.onnx"), tmp_path / "teacher.onnx"
    assert [_title_of(one, tl.as_teacher(one)) for one in wrapped] == [type(half_moons.teacher).__name__, "an ONNX file", "teacher.onnx"]


def test_the_report_names_the_model_and_not_a_part_of_it(half_moons):
    from tutelage.workflow.distillation.distill import _title_of

    X, y, tree = half_moons.X, half_moons.y, DecisionTreeClassifier(max_depth=2)
    models = [
        half_moons.teacher,
        BaggingClassifier(tree, 2),
        AdaBoostClassifier(n_estimators=2),
        OneVsRestClassifier(tree),
        GridSearchCV(tree, {"max_depth": [1, 2]}, cv=2),
        CalibratedClassifierCV(tree, cv=2),
    ]
    for model in (one if one is half_moons.teacher else one.fit(X, y) for one in models):
        name = type(model).__name__
        for given in (model, tl.as_teacher(model), tl.relabelled(tl.as_teacher(model), [1, 0])):
            assert _title_of(given, tl.as_teacher(given)) == name
    network, booster = nn.Sequential(nn.Linear(2, 2)), lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, y), 1)
    for given, name in ((network, "Sequential"), (booster, "lightgbm booster")):
        teacher = tl.as_teacher(given, task="regression") if given is network else tl.as_teacher(given)
        assert [_title_of(one, teacher) for one in (given, teacher)] == [name, name]
