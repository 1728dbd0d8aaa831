import numpy as np
import pytest
from position_models import Given, GivenTeacher, rows_of

from tutelage.core.position_answers import PositionAnswers
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.metrics.entities import Tags, entity_overlaps

NAMES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def spans_of(names, row):
    """The entities of one row, word by word as the evaluation of CoNLL-2000 has them."""
    found, start, kind = [], None, None
    for place, name in enumerate([*names, "O"]):
        goes_on = start is not None and name == f"I-{kind}"
        if not goes_on and start is not None:
            found.append((row, start, place, kind))
            start = None
        if name != "O" and not goes_on:
            start, kind = place, name[2:]
    return found


@pytest.mark.parametrize(
    ("truth", "decided", "expected"),
    [
        ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC", (2, 2, 2)),
        ("B-PER I-PER O B-LOC", "B-PER O O B-LOC", (1, 2, 2)),  # a shorter span is another one
        ("B-PER I-PER", "B-LOC I-LOC", (0, 1, 1)),
        ("B-PER I-PER", "I-PER I-PER", (1, 1, 1)),  # I- after O begins an entity
        ("B-PER B-PER", "B-PER I-PER", (0, 2, 1)),
        ("B-PER I-LOC", "B-PER I-PER", (0, 2, 1)),  # I- of another type begins one
        ("O O", "O B-LOC", (0, 0, 1)),
        ("B-PER | I-PER", "B-PER | I-PER", (2, 2, 2)),  # no entity goes on in the next row
    ],
)
def test_entities_are_counted_as_in_conll(truth, decided, expected):
    rows = [row.split() for row in truth.split("|")], [row.split() for row in decided.split("|")]
    row_of = np.repeat(np.arange(len(rows[0])), [len(row) for row in rows[0]])
    codes = [np.array([NAMES.index(name) for row in side for name in row]) for side in rows]
    both, all_of = entity_overlaps(Tags.of(NAMES), *codes, row_of).sum(axis=0).tolist()
    assert (both, all_of) == (expected[0], expected[1] + expected[2])


def test_f1_of_random_tags_is_that_of_their_sets_of_spans():
    rng = np.random.default_rng(0)
    for _ in range(50):
        lengths = rng.integers(1, 7, 5)
        row_of = np.repeat(np.arange(5), lengths)
        codes = rng.integers(0, 5, (2, len(row_of)))
        sides = [{span for row in range(5) for span in spans_of([NAMES[code] for code in side[row_of == row]], row)} for side in codes]
        found = entity_overlaps(Tags.of(NAMES), *codes, row_of).sum(axis=0).tolist()
        assert found == [len(sides[0] & sides[1]), len(sides[0]) + len(sides[1])]


def test_other_classes_are_no_tags():
    assert Tags.of(["noun", "verb"]) is None
    assert Tags.of(["O", "B-PER", "E-PER"]) is None
    assert Tags.of([0, 1]) is None
    assert Tags.of(["B-PER", "I-PER"]) is None


def answers_of(rows):
    """Answers that are certain of these tags."""
    return PositionAnswers.of_rows([np.eye(5)[[NAMES.index(name) for name in row.split()]] * 0.9 + 0.02 for row in rows])


def test_an_evaluation_of_tags_has_the_f1_of_entities_against_truth_and_teacher():
    truth = ["B-PER I-PER O", "B-LOC O", "O O", "I-LOC"]
    student = Given(answers_of(["B-PER I-PER O", "B-PER O", "O B-LOC", "B-LOC"]), NAMES)
    teacher = GivenTeacher(answers_of(["B-PER O O", "B-PER O", "O O", "B-LOC"]), NAMES)
    y = [row.split() for row in truth]
    found = evaluate(student, teacher, rows_of(4), y, resamples=100, budget_seconds=None)
    assert found.against_truth["entity_f1"].value == pytest.approx(2 * 2 / (3 + 4))
    assert found.against_teacher["entity_f1"].value == pytest.approx(2 * 2 / (3 + 4))
    assert found.teacher_against_truth["entity_f1"].value == pytest.approx(2 * 1 / (3 + 3))
    assert "F1 of entities" in str(found)
    y[0][1] = -100  # a part of a word, which does not count: the entity is B-PER alone
    ignoring = evaluate(student, teacher, rows_of(4), y, resamples=100, budget_seconds=None)
    assert ignoring.teacher_against_truth["entity_f1"].value == pytest.approx(2 * 2 / (3 + 3))
    y = [row.split() for row in truth]
    perfect = evaluate(Given(answers_of(truth), NAMES), None, rows_of(4), y, resamples=100, budget_seconds=None)
    assert perfect.against_truth["entity_f1"].value == 1
    assert perfect.against_truth["entity_f1"].interval.low < 0.6  # three rows have entities
