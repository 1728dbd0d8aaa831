import numpy as np
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(503, 4))


def setting(kind, folder, **options):
    """A student, a teacher and the truth of one task."""
    if kind == "values":
        teacher = tl.as_teacher(lambda rows: np.asarray(rows)[:, :2] * [1, 100] + 1000, kind="values", version="1")
        truth = teacher.answer(ROWS) + RNG.normal(size=(503, 2))
        student = tl.as_teacher(lambda rows: teacher.answer(rows) + 0.1 * np.asarray(rows)[:, 2:], kind="values", version="1")
    elif kind == "labels":
        form = tl.AnswerForm("logits", "multilabel", ("x", "y", "z"))
        teacher = tl.as_teacher(lambda rows: np.asarray(rows)[:, :3], kind="logits", task="multilabel", classes=form.classes, version="1")
        truth = (ROWS[:, :3] + RNG.normal(size=(503, 3)) > 0).astype(int)
        student = tl.as_teacher(lambda rows: np.asarray(rows)[:, 1:], kind="logits", task="multilabel", classes=form.classes, version="1")
    else:
        columns = int(kind)
        names = list("abc"[:columns])
        teacher = tl.as_teacher(lambda rows: np.asarray(rows)[:, :columns], kind="logits", classes=names, version="1")
        truth = np.array(names)[(ROWS[:, :columns] + RNG.normal(size=(503, columns))).argmax(axis=1)]
        student = tl.SoftTree(max_leaf_nodes=6, random_state=0).fit(ROWS, tl.record(teacher, ROWS))
    return student, tl.record(teacher, ROWS, folder / "labels", shard_rows=50, **options), truth


@pytest.mark.parametrize("kind", ["2", "3", "labels", "values"])
def test_figures_of_one_pass_are_those_of_rows_in_memory(kind, tmp_path):
    student, labels, truth = setting(kind, tmp_path)
    found = tl.evaluate(student, tl.parts(ROWS, labels, truth, window=50), budget_seconds=None)
    whole = tl.evaluate(student, labels, ROWS, truth, budget_seconds=None)
    for group in ("against_truth", "against_teacher", "teacher_against_truth"):
        mine, theirs = getattr(found, group), getattr(whole, group)
        assert set(theirs) - set(mine) <= {"auc"}
        for name, figure in mine.items():
            expected = theirs[name]
            assert figure.value == pytest.approx(expected.value, rel=1e-9, abs=1e-12), name
            assert figure.of == expected.of
            if expected.method in ("t", "Wilson"):
                for end in ("low", "high"):
                    assert getattr(figure.interval, end) == pytest.approx(getattr(expected.interval, end), rel=1e-6), name
                assert figure.interval.caution == expected.interval.caution
            else:
                assert (figure.interval, figure.method) == (None, "sums")
    assert found.decisions == whole.decisions
    assert found.rows_fingerprint == whole.rows_fingerprint
    assert (found.rows, found.task, found.classes, found.teacher) == (whole.rows, whole.task, whole.classes, whole.teacher)
    for against, curve in whole.reliability.items():
        assert found.reliability[against].rows == curve.rows
        np.testing.assert_allclose(found.reliability[against].outcome, curve.outcome)
    assert "there is no AUC" in found.notes[-1]
    assert tl.Evaluation.from_json(found.to_json()) == found
    assert "there is no AUC" in str(found)


def test_answers_of_the_most_probable_classes_are_evaluated_as_well(tmp_path):
    student, labels, truth = setting("3", tmp_path, top_k=2)
    found = tl.evaluate(student, tl.parts(ROWS, labels, truth, window=50), budget_seconds=None)
    whole = tl.evaluate(student, labels, ROWS, truth, budget_seconds=None)
    assert found.against_teacher["kl_nats"].value == pytest.approx(whole.against_teacher["kl_nats"].value)
    assert found.against_truth["accuracy"].value == whole.against_truth["accuracy"].value


def test_without_truth_there_is_fidelity_alone(tmp_path):
    student, labels, _ = setting("3", tmp_path)
    found = tl.evaluate(student, tl.parts(ROWS, labels))
    assert found.against_truth == {}
    assert found.cost.alone is not None
    assert 0.5 < found.against_teacher["agreement"].value < 1


def test_what_needs_all_rows_is_refused(tmp_path):
    student, labels, truth = setting("3", tmp_path)
    data = tl.parts(ROWS, labels, truth)
    with pytest.raises(BadInput, match="binning='equal-mass' needs all confidences at once"):
        tl.evaluate(student, data, binning="equal-mass")
    with pytest.raises(BadInput, match="parts hold their rows, answers and ground truth, and y is given too"):
        tl.evaluate(student, data, y=truth)
    with pytest.raises(BadInput, match="there are no rows to measure the student on"):
        tl.evaluate(student, labels)
    found = tl.evaluate(student, data, budget_seconds=None)
    with pytest.raises(BadInput, match="has no row-by-row answers"):
        tl.compare(found, found)
