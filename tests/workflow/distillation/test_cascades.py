"""Distillations whose student leaves rows to its teacher, from rows to files."""

import json
import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import make_classification, make_moons
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.cli import main
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.core.quantities import percent
from tutelage.students.cascade import Cascade
from tutelage.workflow.distillation import run
from tutelage.workflow.distillation.reporting.tracking import figures

pytestmark = pytest.mark.usefixtures("unchecked")
X, Y = make_moons(2000, noise=0.3, random_state=0)
X = pd.DataFrame(X, columns=["a", "b"])
TEACHER = RandomForestClassifier(10, max_depth=6, random_state=0).fit(X[:300], Y[:300])
SMALL = {"students": ["tree"], "trials": 2, "seeds": 2, "export": ["py", "onnx"], "cascade": 0.95}


@pytest.fixture(scope="module")
def distilled(tmp_path_factory, untimed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tutelage.workflow.distillation.run.preflight", _no_findings)
        return tl.distill(TEACHER, X[300:], Y[300:], into=tmp_path_factory.mktemp("runs") / "run", **SMALL)


def _no_findings(*given, **options):
    from short_runs import no_findings

    return no_findings(*given, **options)


def test_the_record_says_what_is_guaranteed_and_what_was_found(distilled):
    found = distilled.record.cascade
    assert found.attained
    assert found.guarantee["rows"] == distilled.record.rows["calibration"] == 272
    assert found.guarantee["teacher"] == tl.as_teacher(TEACHER).fingerprint
    assert 0 < found.coverage.value <= 1
    assert found.agreement.value > 0.93
    assert set(found.accuracy) == {"cascade", "student", "teacher"}
    assert distilled.record.arm(distilled.record.chosen).kind == "distilled"
    assert f"answers {percent(found.coverage.value)} of the test rows itself" in distilled.verdict
    assert "of the validation rows itself at a rate of 95 %" in distilled.record.reason
    split = pq.read_table(distilled.folder / "split.parquet").to_pydict()
    assert split["part"].count("calibration") == 272


def test_its_files_say_which_rows_they_defer(distilled):
    guarantee = distilled.record.cascade.guarantee
    assert all(dict(one.cascade) == dict(guarantee) for one in distilled.record.exports)
    module: dict = {}
    exec((distilled.folder / "student.py").read_text(), module)  # noqa: S102
    confidence = distilled.student.predict_proba(X).max(axis=1)
    assert [module["defers"](row) for row in X.to_numpy().tolist()] == (confidence < guarantee["threshold"]).tolist()
    opened = tl.open_teacher(str(distilled.folder / "student.onnx"))
    np.testing.assert_allclose(opened.answer(X[:9]), distilled.student.predict_proba(X[:9]), atol=1e-6)
    assert json.loads((distilled.folder / "run.json").read_text())["cascade"] == dict(guarantee)
    assert "Its function defers says which rows" in (distilled.folder / "report.html").read_text()


def test_the_size_that_limits_are_compared_with_holds_the_threshold(distilled):
    assert distilled.record.exports[0].size_bytes <= distilled.chosen.size_bytes <= distilled.record.exports[0].size_bytes + 500


def test_its_figures_are_tracked(distilled):
    tracked = dict(figures(distilled.record))
    assert tracked["cascade/coverage"] == distilled.record.cascade.coverage.value
    assert tracked["cascade/agreement"] == distilled.record.cascade.agreement.value


@pytest.mark.parametrize("export", ["sql", None])
def test_a_column_that_has_the_name_of_the_answer_is_refused_before_there_is_a_folder(export, tmp_path):
    rows = X.rename(columns={"b": "deferred"}).assign(colour=np.where(X["a"] > 0, "red", "blue"))
    teacher = tl.as_teacher(
        lambda rows: TEACHER.predict_proba(rows[["a", "deferred"]].to_numpy()), kind="probabilities", classes=[0, 1], version="1"
    )
    with pytest.raises(BadInput, match="a column is named 'deferred', as is the answer that"):
        tl.distill(teacher, rows[300:], Y[300:], into=tmp_path / "run", **{**SMALL, "export": export})
    assert not (tmp_path / "run").exists()


def test_its_page_says_which_rows_it_defers(distilled):
    made = json.loads((distilled.folder / "playground.json").read_text(encoding="utf-8"))
    assert f"export const threshold = {distilled.record.cascade.guarantee['threshold']!r};" in made["module"]
    assert "export function defers(row)" in made["module"]


def test_the_cascade_answers_as_the_guarantee_says(distilled):
    whole = distilled.cascade(TEACHER)
    assert isinstance(whole, Cascade)
    found = whole.decide_who(X[300:])
    threshold = distilled.record.cascade.guarantee["threshold"]
    np.testing.assert_array_equal(found.by_student, distilled.student.predict_proba(X[300:]).max(axis=1) >= threshold)
    np.testing.assert_allclose(found.answers[~found.by_student], TEACHER.predict_proba(X[300:][~found.by_student]))
    assert (whole.predict(X[300:]) == TEACHER.predict(X[300:])).mean() >= 0.94


def test_predict_and_export_of_the_folder_know_the_threshold(distilled, tmp_path, capsys):
    X.head(200).to_csv(tmp_path / "rows.csv", index=False)
    folder, rows, out = (str(path) for path in (distilled.folder, tmp_path / "rows.csv", tmp_path / "answers.csv"))
    assert main(["predict", folder, "--data", rows, "--out", out, "--probabilities"]) == 0
    found = pd.read_csv(out)
    expected = distilled.student.predict_proba(X.head(200)).max(axis=1) < distilled.record.cascade.guarantee["threshold"]
    assert found["deferred"].tolist() == expected.tolist()
    assert 0 < found["deferred"].sum() < 200
    assert main(["predict", folder, "--data", rows, "--file", "student.onnx", "--out", out]) == 0
    of_file = pd.read_csv(out)
    assert list(of_file) == ["prediction", "deferred"]
    assert of_file["deferred"].tolist() == found["deferred"].tolist()
    assert main(["export", folder, str(tmp_path / "again.py"), "--data", rows]) == 0
    assert "It defers rows of a confidence below" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_evaluate_and_compare_name_the_rows_that_calibrated_the_threshold(distilled, tmp_path, capsys):
    split = pq.read_table(distilled.folder / "split.parquet").to_pandas().query("source == 'rows'")
    places = split.query("part == 'calibration'")["row"].to_numpy()
    others = split.query("part == 'test'")["row"].to_numpy()
    folder = str(distilled.folder)
    for name, some in (("calibration.csv", places), ("test.csv", others)):
        X[300:].iloc[some].assign(y=Y[300:][some]).to_csv(tmp_path / name, index=False)
        for command in (["evaluate", folder], ["compare", folder, folder]):
            capsys.readouterr()
            with warnings.catch_warnings():
                warnings.simplefilter("always")  # the default outside of tests
                assert main([*command, "--data", str(tmp_path / name), "--truth", "y"]) == 0
            said = capsys.readouterr().err
            if name == "test.csv":
                assert "warning" not in said
            else:
                assert f"272 of these rows are among those that calibrated the threshold of {folder}, below which" in said
                assert "trained" not in said


def test_another_teacher_is_refused(distilled):
    other = RandomForestClassifier(3, random_state=1).fit(X[:50], Y[:50])
    with pytest.raises(LabelMismatch, match="the threshold was calibrated with the teacher RandomForestClassifier"):
        distilled.cascade(other)


def test_another_export_has_the_threshold_too(distilled, tmp_path):
    record = distilled.export(tmp_path / "more.sql", check_on=X[:100])
    assert record.cascade["threshold"] == distilled.record.cascade.guarantee["threshold"]


def test_a_run_goes_on_only_with_the_same_rate(distilled):
    again = tl.distill(TEACHER, X[300:], Y[300:], into=distilled.folder, **SMALL)
    assert again.record.cascade == distilled.record.cascade
    with pytest.raises(BadInput, match="another rate of a cascade"):
        tl.distill(TEACHER, X[300:], Y[300:], into=distilled.folder, **{**SMALL, "cascade": 0.9})


@pytest.mark.exhaustive
def test_a_stopped_run_goes_on_to_the_same_threshold_and_files(distilled, tmp_path, monkeypatch):
    def stopped(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "write_student", stopped)
        with pytest.raises(KeyboardInterrupt):
            tl.distill(TEACHER, X[300:], Y[300:], into=tmp_path / "run", **SMALL)
    again = tl.distill(TEACHER, X[300:], Y[300:], into=tmp_path / "run", **SMALL)
    assert again.record.cascade.guarantee == distilled.record.cascade.guarantee
    assert [one.sha256 for one in again.record.exports] == [one.sha256 for one in distilled.record.exports]


def test_a_run_without_a_cascade_has_none(finished, tmp_path):
    assert finished.record.cascade is None
    with pytest.raises(BadInput, match="this distillation has no cascade; run it with cascade="):
        finished.cascade()


@pytest.mark.exhaustive
def test_a_rate_that_no_student_reaches_is_said_and_the_files_have_no_threshold(tmp_path):
    rows, truth = make_classification(2400, 12, n_informative=10, n_classes=4, flip_y=0.3, random_state=0)
    teacher = RandomForestClassifier(20, random_state=0).fit(rows, truth)  # it knows all rows by heart
    found = tl.distill(teacher, rows, truth, into=tmp_path / "run", **{**SMALL, "trials": 1, "cascade": 0.99, "export": "py"})
    assert not found.record.cascade.attained
    assert "The student may answer no row on its own at 99 %: " in found.verdict
    assert found.record.exports[0].cascade is None
    assert json.loads((tmp_path / "run" / "run.json").read_text())["cascade"] is None
    with pytest.raises(BadInput, match="the student may answer no row on its own at 99 %"):
        found.cascade()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cascade": 1.0}, "cascade is 1.0; expected a finite number above 0 and below 1"),
        ({"cascade": 0.999}, "there are 272 rows to calibrate a cascade on; 99.9 % can be guaranteed from 2,995 on"),
        ({"export": "pte"}, "a file for ExecuTorch has no place for its threshold"),
        ({"class_weight": "balanced"}, "cascade is given together with class_weight"),
    ],
)
def test_a_cascade_that_cannot_be_is_refused_before_any_work(changed, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        tl.distill(TEACHER, X[300:], Y[300:], into=tmp_path / "run", **{**SMALL, **changed})
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_values_has_no_cascade():
    from sklearn.linear_model import LinearRegression

    with pytest.raises(BadInput, match="the teacher answers values, which have no confidence"):
        tl.distill(LinearRegression().fit(X, Y), X, Y, cascade=0.9)
