"""What a run writes for readers: the page, the card, and lines of code that load the student."""

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import tutelage as tl
from tutelage.core.errors import DamagedFile
from tutelage.report.distillation.page import render_distillation
from tutelage.workflow.distillation.reporting.write import stored_figures, stored_playground
from tutelage.workflow.distillation.searching.judge import Judge

RANDOM = np.random.default_rng(0)
COUNT = 500
FRAME = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 80, COUNT).astype(float),
        "city": RANDOM.choice(["Oslo", "Rome", "Bonn"], COUNT),
        "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, COUNT), unit="D"),
    }
)
TRUTH = np.where((FRAME.age > 45) ^ (FRAME.city == "Rome"), "yes", "no")


COLUMNS = make_column_transformer((OneHotEncoder(), ["city"]), ("passthrough", ["age"]))
TEACHER = make_pipeline(COLUMNS, RandomForestClassifier(10, max_depth=4, random_state=0)).fit(FRAME[:200], TRUTH[:200])


def distil(into, *, show_rows):
    """A small distillation of a mixed table."""
    settings = {"students": ["tree"], "trials": 1, "seeds": 2, "export": ["py", "onnx"]}
    return tl.distill(TEACHER, FRAME[200:], TRUTH[200:], **settings, show_rows=show_rows, into=into)


@pytest.fixture(scope="module")
def run(untimed, tmp_path_factory):
    """A run with its rows shown, whose files are timed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Judge, "latency", lambda self, file, **options: file.latency(seconds=0.02))
        return distil(tmp_path_factory.mktemp("runs") / "run", show_rows=True)


def test_the_folder_holds_page_figures_and_card(run):
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page == render_distillation(run.record, stored_figures(run.folder), stored_playground(run.folder))
    assert (run.folder / "card.md").read_text(encoding="utf-8").startswith("---\n")
    figures = stored_figures(run.folder)
    assert figures.student == run.record.chosen
    assert sum(map(sum, figures.confusion.counts)) == run.record.rows["test"]
    agreement = run.chosen.test["agreement"][0]
    assert 1 - figures.disagreement.disagree / figures.disagreement.decisions == pytest.approx(agreement)
    truth = np.trace(np.array(figures.confusion.counts)) / run.record.rows["test"]
    assert truth == pytest.approx(run.chosen.test["accuracy"][0])


def test_costs_of_all_arms_are_measured(run):
    assert all(arm.latency is not None and arm.size_bytes for arm in run.arms)


def test_rows_are_shown_as_a_table(run):
    shown = stored_figures(run.folder).shown
    assert len(shown) == min(12, stored_figures(run.folder).disagreement.disagree)
    assert all(set(row.content) == {"age", "city", "since"} for row in shown)


def test_the_student_can_be_tried_on_rows_of_the_test(run):
    made = stored_playground(run.folder)
    assert [(one.name, one.kind) for one in made.columns] == [("age", "number"), ("city", "levels"), ("since", "date")]
    assert 12 <= len(made.examples) <= 24
    tests = [
        list(row) for row in FRAME[200:].assign(since=(FRAME.since - pd.Timestamp("1970")).dt.days.astype(float)).itertuples(index=False)
    ]
    assert all(list(one.row) in tests for one in made.examples)
    assert all(len(one.teacher) == 2 and one.truth in ("yes", "no") for one in made.examples)


def test_a_changed_playground_is_refused(run, tmp_path):
    plain = json.loads((run.folder / "playground.json").read_text(encoding="utf-8"))
    (tmp_path / "playground.json").write_text(json.dumps({**plain, "module": "alert(1)"}), encoding="utf-8")
    with pytest.raises(DamagedFile, match="does not match its checksum"):
        stored_playground(tmp_path)


def test_the_report_can_be_written_elsewhere(run, tmp_path):
    path = run.report(tmp_path / "other.html")
    assert path.read_bytes() == (run.folder / "report.html").read_bytes()


def test_changed_figures_are_refused(run, tmp_path):
    figures = json.loads((run.folder / "figures.json").read_text(encoding="utf-8"))
    (tmp_path / "figures.json").write_text(json.dumps({**figures, "student": "another"}), encoding="utf-8")
    with pytest.raises(DamagedFile, match="does not match its checksum"):
        stored_figures(tmp_path)


def test_the_lines_of_code_load_the_student(run, monkeypatch, capsys):
    FRAME[200:].to_csv(run.folder / "new.csv", index=False)
    loading = {one.file: one.code for one in stored_figures(run.folder).loading}
    assert set(loading) == {"student.onnx", "student.py", "student.skops"}
    row = ["41.0", '"Rome"', repr(float((FRAME.since[3] - pd.Timestamp("1970")).days))]
    monkeypatch.chdir(run.folder)
    monkeypatch.syspath_prepend(run.folder)
    for code in (loading["student.onnx"], loading["student.skops"], loading["student.py"].replace("...", ", ".join(row))):
        assert len(code.splitlines()) <= 6
        exec(code, {})  # noqa: S102 - our own lines
        assert capsys.readouterr().out.strip()
    sys.modules.pop("student", None)


@pytest.mark.exhaustive
def test_a_finished_run_is_drawn_again_without_its_rows(run, unchecked, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    again = distil(folder, show_rows=False)
    assert stored_figures(folder).shown == ()
    assert stored_playground(folder).examples == ()
    assert "Rows are not shown" in (folder / "report.html").read_text(encoding="utf-8")
    assert again.chosen.test == run.chosen.test
