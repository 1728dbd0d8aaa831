"""Classes, labels and values are matched by name, never by position: answers, soft targets and ground truth, through every door."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.cli import main
from tutelage.core.errors import LabelMismatch
from tutelage.data.table_file import TableFile
from tutelage.workflow.distillation.given.from_files import problem_of_files
from tutelage.workflow.distillation.given.problem import row_set
from tutelage.workflow.open_answers import SourceOptions

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(240, 2)), columns=["a", "b"])
Y = pd.DataFrame({"rain": (X["a"] + RNG.normal(size=240) / 5 > 0).astype(int), "wind": (X["b"] + RNG.normal(size=240) / 5 > 1).astype(int)})
WEATHER = tl.as_teacher(MultiOutputClassifier(LogisticRegression()).fit(X[:80].to_numpy(), Y[:80].to_numpy()), classes=["rain", "wind"])
NAMES = ["rain", "wind"]
ORDERS = [("rain", "wind"), ("wind", "rain")]
Q = 1 / (1 + np.exp(-3 * X["a"].to_numpy()))


@pytest.fixture
def weather(tmp_path, monkeypatch):
    """The rows in a file, a teacher of them as a module, and its recorded answers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    X.join(Y).to_csv("rows.csv", index=False)
    np.savez("rows.npz", X=X.to_numpy(), **Y)
    np.save("answers.npy", WEATHER.answer(X))
    (tmp_path / "forecast.py").write_text(
        "import numpy as np\ndef ask(rows):\n    rows = np.asarray(rows, dtype=float)\n"
        "    return 1 / (1 + np.exp(-np.c_[6 * rows[:, 0], 6 * (rows[:, 1] - 1)]))\n"
        "def turned(rows):\n    return ask(rows)[:, ::-1]\n"
    )
    return ["forecast:ask", "--kind", "probabilities", "--task", "multilabel", "--classes", "rain,wind"]


def told(names, *options):
    return [*options, *(part for name in names for part in ("--truth", name))]


@pytest.mark.filterwarnings("default")
def test_the_command_line_matches_columns_of_ground_truth_to_the_labels(weather, capsys):
    assert main(["record", *weather, "--data", "rows.csv", *told(NAMES), "--into", "labels"]) == 0
    found = []
    for place, names in enumerate(ORDERS):
        options = told(names, "--data", "rows.csv")
        trained = ["train", "tree", "--labels", "labels", *options, "--soft-weight", "0.2", "--set", "max_leaf_nodes=4"]
        assert main([*trained, "--out", f"run{place}"]) == 0
        capsys.readouterr()
        assert main(["evaluate", f"run{place}", *options, "--teacher", *weather, "--json", "--rows-out", "answers.csv"]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert pd.read_csv("answers.csv")[["truth_rain", "truth_wind"]].to_numpy().tolist() == Y.to_numpy().tolist()
        found.append((figures["against_truth"]["accuracy"], figures["teacher_against_truth"]["accuracy"]))
    assert found[0] == found[1]
    assert found[0][0]["value"] > 0.9


def test_preflight_does_so(weather, capsys):
    assert main(["preflight", *weather, *told(["wind", "rain"], "--data", "rows.csv"), "--rows", "60", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["findings"]
    assert next(finding["figure"]["accuracy"] for finding in checks if finding["check"] == "accuracy") > 0.9


@pytest.mark.parametrize("data", ["rows.csv", "rows.npz"])
def test_a_distillation_of_files_does_so(weather, tmp_path, data):
    options = SourceOptions(kind="probabilities", task="multilabel", classes=("rain", "wind"))
    for names in ORDERS:
        problem = problem_of_files("forecast:ask", TableFile.open(tmp_path / data, truth=names), options)
        np.testing.assert_array_equal(problem.truths["given"], Y)
        assert problem.source["truth"] == NAMES


def test_columns_of_other_names_stay_in_their_order_which_is_said(weather, tmp_path):
    X.join(Y.rename(columns={"rain": "y1", "wind": "y2"})).assign(snow=0).to_csv("other.csv", index=False)
    file = TableFile.open(tmp_path / "other.csv", truth=["y2", "y1"])
    with pytest.warns(UserWarning, match=r"'y2', 'y1' are taken for the ground truth of the labels \['rain', 'wind'\], in this order"):
        assert file.with_truth_of(NAMES, "labels").truth == ("y2", "y1")
    mixed = file.with_roles(truth=["y1", "snow"])
    with pytest.raises(LabelMismatch, match=r"other.csv are \['y1', 'snow'\]; expected \['snow', 'wind'\]: missing \['wind'\], extra"):
        mixed.with_truth_of(["snow", "wind"], "labels")


@pytest.mark.filterwarnings("default")
def test_students_of_labels_in_another_order_are_compared_by_name(weather, capsys):
    turned = [*weather[:-1], "wind,rain"]
    for place, teacher in enumerate((weather, ["forecast:turned", *turned[1:]])):
        assert main(["record", *teacher, "--data", "rows.csv", *told(NAMES), "--into", f"labels{place}"]) == 0
        trained = ["train", "tree", "--labels", f"labels{place}", "--data", "rows.csv", *told(NAMES), "--set", "max_leaf_nodes=4"]
        assert main([*trained, "--out", f"run{place}"]) == 0
    capsys.readouterr()
    assert main(["compare", "run0", "run1", "--data", "rows.csv", *told(NAMES), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["difference"] == 0


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_values_are_matched_to_the_columns_of_the_training(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    values = pd.DataFrame({"y1": X["a"], "y2": 3 * X["b"] + 100})
    X.join(values).to_csv("rows.csv", index=False)
    for place, names in enumerate((("y1", "y2"), ("y2", "y1"))):
        labels = tl.record(LinearRegression().fit(X, values[list(names)]), X, tmp_path / f"labels{place}")
        assert labels.form.kind == "values"
        trained = ["train", "tree", "--labels", f"labels{place}", "--data", "rows.csv", "--out", f"run{place}"]
        assert main([*trained, *told(names)]) == 0
        assert main([*trained, *told(names[::-1])]) == 2
        assert f"the teacher's outputs follow the order {list(names)}" in capsys.readouterr().err
    found = []
    for options in ([], told(["y1", "y2"]), told(["y2", "y1"])):
        capsys.readouterr()
        assert main(["evaluate", "run0", "--data", "rows.csv", *options, "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["against_truth"]["r2"])
    assert found[0] == found[1] == found[2]
    assert found[0]["value"] > 0.9
    assert main(["compare", "run0", "run1", "--data", "rows.csv"]) == 2
    assert "values ['y1', 'y2'], and run1 one of ['y2', 'y1']" in capsys.readouterr().err


@pytest.mark.parametrize("names", ORDERS)
def test_frames_of_ground_truth_are_matched_in_python(names):
    truth = Y[list(names)]
    assert tl.evaluate(WEATHER, None, X, truth).against_truth == tl.evaluate(WEATHER, None, X, Y).against_truth
    np.testing.assert_array_equal(row_set(X, truth, form=WEATHER.form).truth, Y)
    parts = tl.parts(X, tl.record(WEATHER, X), truth)
    np.testing.assert_array_equal(next(parts.in_order()).y, Y)
    weights = np.where(np.arange(len(X)) % 5, 1.0, 0.0)
    student = tl.DistilledClassifier(WEATHER, tl.SoftTree(max_leaf_nodes=4, random_state=0), soft_weight=0)
    expected = student.fit(X, Y.to_numpy(), sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(student.fit(X, truth, sample_weight=weights).predict_proba(X), expected)
    with pytest.raises(LabelMismatch, match=r"missing \['rain', 'wind'\], extra \['y1', 'y2'\]"):
        row_set(X, truth.set_axis(["y1", "y2"], axis=1), form=WEATHER.form)


def test_values_of_test_rows_are_matched_to_those_of_the_others():
    values = pd.DataFrame({"y1": X["a"], "y2": 3 * X["b"] + 100})
    teacher = LinearRegression().fit(X, values)
    found = tl.preflight(teacher, X[:120], values[:120], test=X[120:], test_labels=values.loc[120:, ["y2", "y1"]])
    assert not [finding.check for finding in found.findings if finding.check.startswith("test-") and finding.severity == "error"]


STUDENTS = {
    "tree": tl.SoftTree(max_leaf_nodes=4, random_state=0),
    "logistic": tl.SoftLogistic(),
    "boosting": tl.SoftBoosting(n_estimators=3),
    "mlp": tl.SoftMLP(epochs=2, random_state=0),
    "torch network": tl.TorchClassifier(tl.training.mlp((2, 4, 2)), epochs=1, random_state=0),
    "labels": tl.TorchClassifier(tl.training.mlp((2, 4, 2)), epochs=1, random_state=0, multilabel=True),
    "any classifier": tl.SoftTargets(DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)),
    "per label": tl.PerLabel(tl.SoftTree(max_leaf_nodes=4, random_state=0)),
}


@pytest.mark.parametrize("student", STUDENTS)
def test_frames_of_soft_targets_are_matched_by_every_student(student):
    targets, fitted = np.c_[1 - Q, Q], STUDENTS[student]
    expected = fitted.fit(X, targets, classes=["p", "q"]).predict_proba(X)
    for frame in (pd.DataFrame, pl.DataFrame):
        turned = frame({"q": Q, "p": 1 - Q})
        np.testing.assert_array_equal(fitted.fit(X, turned, classes=["p", "q"]).predict_proba(X), expected)
        np.testing.assert_array_equal(fitted.fit(X, frame(targets), classes=["p", "q"]).predict_proba(X), expected)
        assert fitted.fit(X, turned).classes_.tolist() == ["q", "p"]
        with pytest.raises(LabelMismatch, match=r"missing \['u'\], extra \['q'\]"):
            fitted.fit(X, turned, classes=["p", "u"])


@pytest.mark.exhaustive
def test_frames_of_answers_are_matched_to_the_classes():
    teachers = {
        "a function": tl.as_teacher(_turned, classes=["p", "q"], kind="probabilities"),
        "a class of the user's": Own(),
    }
    expected = np.c_[1 - Q, Q]
    for name, teacher in teachers.items():
        np.testing.assert_allclose(tl.record(teacher, X).answers, expected, atol=1e-6, err_msg=name)
        assert tl.SoftTree(max_leaf_nodes=4).fit(X, teacher).predict(X[X["a"] > 2])[0] == "q"
        assert tl.evaluate(tl.SoftTree(max_leaf_nodes=8).fit(X, teacher), teacher, X).against_teacher["agreement"].value > 0.9
        np.testing.assert_allclose(tl.ensemble([teacher]).answer(X), expected, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(tl.relabelled(teacher, ["q", "p"]).answer(X), expected[:, ::-1], atol=1e-6, err_msg=name)
    tl.check_teacher(Own(), X)


def _turned(rows):
    q = 1 / (1 + np.exp(-3 * np.asarray(rows)[:, 0]))
    return pd.DataFrame({"q": q, "p": 1 - q})


class Own:
    form = tl.AnswerForm("probabilities", "binary", ("p", "q"))
    fingerprint = "own"

    def answer(self, rows):
        return _turned(rows)


def test_columns_of_a_log_are_matched_to_the_classes(tmp_path):
    log = pd.DataFrame({"id": range(len(X)), "q": Q, "p": 1 - Q, "other": 0.0})
    log.to_json(path := tmp_path / "log.jsonl", orient="records", lines=True)
    found = tl.read_answers(path, answers=["q", "p"], classes=["p", "q"], kind="probabilities", data=X)
    np.testing.assert_allclose(found.answers, np.c_[1 - Q, Q], atol=1e-6)
    with pytest.raises(LabelMismatch, match=r"answers are \['q', 'other'\]; expected \['p', 'q'\]: missing \['p'\], extra \['other'\]"):
        tl.read_answers(path, answers=["q", "other"], classes=["p", "q"], kind="probabilities", data=X)
