import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.core.running.stages import Stages
from tutelage.data.rows import as_rows
from tutelage.search.limits import Limits
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.distill import plan_of
from tutelage.workflow.distillation.given.problem import Problem, RowSet, row_set
from tutelage.workflow.distillation.run import distillation
from tutelage.workflow.dry_run import dry_run, duration

X, Y = make_moons(400, noise=0.3, random_state=0)
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X[:100], Y[:100])
SMALL = {"students": ["tree", "logistic"], "trials": 4, "seeds": 2, "export": "py"}


class Counting:
    """A teacher that counts the rows that it is asked."""

    def __init__(self):
        self.teacher, self.rows = as_teacher(TEACHER), 0
        self.form, self.fingerprint = self.teacher.form, self.teacher.fingerprint

    def answer(self, inputs):
        self.rows += len(inputs)
        return self.teacher.answer(inputs)


@pytest.mark.exhaustive
def test_it_says_what_the_run_does_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problem = Problem(Counting(), "teacher", row_set(X[100:], Y[100:]), pool=row_set(X[:50] + 1))
    plan = plan_of("binary", has_truth=True, limits=Limits(size="64kB"), **SMALL)
    planned = dry_run(problem, plan, Stages())
    assert list(tmp_path.iterdir()) == []
    asked_before = problem.teacher.rows
    record = distillation(problem, plan, tmp_path / "run", Stages())
    assert [planned.rows[name] for name in ("to train on", "to validate on", "to test on", "more")] == [
        record.rows[name] for name in ("train", "validation", "test", "more")
    ]
    assert set(planned.arms) == {arm.name for arm in record.arms if arm.kind != "teacher"} - {"untuned", "plain model"}
    assert planned.asked == 300 + 50
    assert problem.teacher.rows - asked_before == pytest.approx(planned.asked + planned.checked, rel=0.15)
    assert planned.seconds["total"] == pytest.approx(sum(value for name, value in planned.seconds.items() if name != "total"))
    text = str(planned)
    assert "asked 350 rows once" in text
    assert "size 64000 bytes" in text
    assert "4 trials of each arm, then 2 seeds" in text


def test_the_plain_model_of_other_students_is_an_arm_of_its_own_and_takes_its_time():
    problem = Problem(tl.record(TEACHER, X), "answers", row_set(X, Y))
    alone, among = (
        dry_run(problem, plan_of("binary", has_truth=True, **SMALL | {"students": students}), Stages())
        for students in (["tree"], ["tree", "logistic"])
    )
    assert alone.arms == among.arms | {"plain model": "a logistic model of the ground truth"}
    assert alone.seconds["search"] > 0


def test_it_counts_other_processes_and_refuses_students_that_they_cannot_make():
    problem = Problem(tl.record(TEACHER, X), "answers", row_set(X, Y))
    planned = dry_run(problem, plan_of("binary", has_truth=True, **SMALL), Stages(), on=tl.Local(3))
    assert planned.settings["workers"] == 3
    assert "Workers   3, for the search and the students of all seeds" in str(planned)
    own = {"mine": (make_pipeline(FunctionTransformer(lambda rows: rows), tl.SoftTree()), {})}
    plan = plan_of("binary", has_truth=True, **SMALL | {"students": own})
    with pytest.raises(BadInput, match="the student 'mine' cannot be sent to other processes"):
        dry_run(problem, plan, Stages(), on=tl.Local(3))


def test_a_teacher_made_of_language_models_is_asked_nothing(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    model = tl.teachers.chat("model", ["ham", "spam"], endpoint="http://127.0.0.1:9/v1")
    teacher, texts = tl.relabelled(model, ["spam", "ham"]), ["some text"] * 100
    problem, plan = Problem(teacher, "teacher", row_set(texts, ["ham", "spam"] * 50)), plan_of("binary", has_truth=True, **SMALL)
    with pytest.raises(BadInput, match=r"made of language models, whose answers cost; ask each of them for its price"):
        dry_run(problem, plan, Stages())


def test_recorded_answers_are_not_asked():
    problem = Problem(tl.record(TEACHER, X), "answers", row_set(X, Y))
    planned = dry_run(problem, plan_of("binary", has_truth=True, **SMALL), Stages())
    assert planned.asked == planned.seconds["teacher"] == planned.rows["more"] == 0
    assert "answers, more rows" not in planned.arms
    assert "it is not asked" in str(planned)


def test_without_truth_there_is_no_arm_of_labels():
    problem = Problem(as_teacher(TEACHER), "teacher", row_set(X))
    assert "labels" not in dry_run(problem, plan_of("binary", has_truth=False, **SMALL), Stages()).arms


def test_what_the_run_would_refuse_is_refused():
    problem = Problem(as_teacher(TEACHER), "teacher", row_set(X[:8], Y[:8]))
    with pytest.raises(tl.TutelageError, match="rows to train on"):
        dry_run(problem, plan_of("binary", has_truth=True, **SMALL), Stages())


def test_more_rows_and_trials_take_longer():
    few = dry_run(Problem(as_teacher(TEACHER), "teacher", row_set(X, Y)), plan_of("binary", has_truth=True, **SMALL), Stages())
    rows, truth = np.tile(X, (20, 1)) + np.arange(8000)[:, None] * 1e-6, np.tile(Y, 20)
    many = dry_run(
        Problem(as_teacher(TEACHER), "teacher", row_set(rows, truth)),
        plan_of("binary", has_truth=True, **SMALL | {"trials": 100}),
        Stages(),
    )
    assert many.seconds["search"] > 5 * few.seconds["search"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.0, "a second"), (7, "7 seconds"), (89, "90 seconds"), (600, "10 minutes"), (7200, "2.0 hours")]
)
def test_durations_are_rough(seconds, said):
    assert duration(seconds) == said


def test_columns_that_the_teacher_does_not_read_are_named():
    frame = pd.DataFrame(X, columns=["a", "b"])
    teacher = as_teacher(RandomForestClassifier(5, random_state=0).fit(frame[["a"]][:100], Y[:100]))
    rows = row_set(frame[100:].assign(id=[f"row {place}" for place in range(300)]), Y[100:])
    asked = RowSet(rows.rows, as_rows(rows.rows[["a"]]), rows.truth)
    planned = dry_run(Problem(teacher, "teacher", asked, asked_columns=("a",)), plan_of("binary", has_truth=True, **SMALL), Stages())
    notes = " ".join(planned.notes)
    assert "the teacher was not given the columns ['b', 'id']" in notes
    assert "column 'id' is an identifier" in notes


def test_the_time_is_that_of_every_part_and_the_weights_are_said():
    problem = Problem(as_teacher(TEACHER), "teacher", row_set(X, Y, weights=np.ones(400)), class_weight={0: 1.0, 1: 5.0})
    planned = dry_run(problem, plan_of("binary", has_truth=True, **SMALL), Stages())
    parts = ["teacher", "preflight", "first look", "search", "all seeds", "transfer curve", "exports and report"]
    assert list(planned.seconds) == [*parts, "total"]
    assert all(planned.seconds[part] > 0 for part in parts[1:])  # a row more may take a teacher no time that is measured
    assert "Weights   those of the rows times those of the classes (0 1, 1 5)" in str(planned)


@pytest.mark.parametrize(
    ("truth", "values", "unit"),
    [
        (True, False, "points"),
        (False, False, "points"),
        (True, True, "% of the teacher's squared error"),
        (False, True, "% of the variance of the teacher's answers"),
    ],
)
def test_the_limit_of_a_drop_has_its_unit(truth, values, unit):
    y = X[:, 0] if values else Y
    teacher = tl.record(LinearRegression().fit(X, y) if values else TEACHER, X)
    problem = Problem(teacher, "answers", row_set(X, y if truth else None))
    students = {"students": ["tree"], "trials": 1, "seeds": 2, "export": "py"}
    plan = plan_of("regression" if values else "binary", has_truth=truth, limits=Limits(drop=1.5), **students)
    assert f"Limits    drop 1.5 {unit}\n" in str(dry_run(problem, plan, Stages()))


def test_the_rows_of_a_cascade_are_counted(tmp_path):
    rows, truth = make_moons(800, noise=0.3, random_state=1)
    problem = Problem(as_teacher(TEACHER), "teacher", row_set(rows, truth))
    planned = dry_run(problem, plan_of("binary", has_truth=True, cascade=0.95, **SMALL), Stages())
    assert planned.rows["to calibrate on"] == 128
    assert sum(planned.rows[f"to {name} on"] for name in ("train", "validate", "calibrate", "test")) == 800
    assert "128 to calibrate on" in str(planned)


def test_what_a_run_refuses_is_refused_before_any_student_is_tried():
    stages = Stages()
    for weights, message in ((None, "there are 64 rows to calibrate a cascade on"), ("balanced", "together with class_weight")):
        problem = Problem(Counting(), "teacher", row_set(X, Y), class_weight=weights)
        with pytest.raises(BadInput, match=message):
            dry_run(problem, plan_of("binary", has_truth=True, cascade=0.99, **SMALL), stages)
        assert problem.teacher.rows == 0
    assert list(stages.seconds) == ["split"]
