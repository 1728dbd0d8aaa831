import numpy as np
import pytest

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import StructuredRows
from tutelage.softlabels import querying
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import answer_bytes, query, query_parts
from tutelage.softlabels.recording import record

X = np.random.default_rng(0).normal(size=(30, 3))
FORM = of_classes("probabilities", ("yes", "no"))


def test_a_teacher_is_queried_in_parts_and_recorded_answers_at_once(monkeypatch):
    monkeypatch.setattr(querying, "QUERY_ROWS", 8)
    sizes = []

    class Counting:
        form, fingerprint = FORM, "counting"

        def answer(self, inputs):
            sizes.append(len(inputs))
            return np.column_stack([inputs[:, 0] > 0, inputs[:, 0] <= 0]).astype(np.float32)

    answers = query(Counting(), X)
    assert sizes == [8, 8, 8, 6]
    assert answers.dtype == np.float64
    np.testing.assert_array_equal(answers[:, 0], X[:, 0] > 0)
    duplicates = SoftLabels(np.array([[1.0, 0.0], [0.0, 1.0]]), FORM, names=np.array([7, 7], dtype=np.uint64))
    monkeypatch.setattr("tutelage.softlabels.labels.row_names", lambda rows: np.array([7, 7], dtype=np.uint64)[: len(rows)])
    monkeypatch.setattr(querying, "QUERY_ROWS", 1)
    np.testing.assert_array_equal(query(duplicates, X[:2]), [[1, 0], [0, 1]])


class Sizes:
    """A teacher of many classes that stores how many rows it is asked about at a time."""

    def __init__(self, classes, positions=None):
        self.form, self.fingerprint, self.sizes = AnswerForm("logits", "multiclass", tuple(range(classes)), positions), "sizes", []

    def answer(self, inputs):
        self.sizes.append(len(inputs))
        return np.zeros((len(inputs), len(self.form.classes)), np.float32)


def test_a_teacher_of_many_classes_is_queried_with_few_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(querying, "ANSWER_BYTES", 4 * 100 * 7)
    wide, narrow = Sizes(100), Sizes(5)
    record(wide, X)
    record(narrow, X)
    assert (wide.sizes, narrow.sizes) == ([7, 7, 7, 7, 2], [30])
    assert [stop - start for start, stop, _ in query_parts(X, wide.form, 10)] == [7, 3, 7, 3, 7, 3]
    assert [stop - start for start, stop, _ in query_parts(["a", "b", "c"], Sizes(1000).form)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "positions", "expected"),
    [
        (np.zeros((3, 9)), "tokens", 9),
        (np.zeros((3, 1, 4, 5)), "pixels", 20),
        ({"ids": np.zeros((3, 6), int)}, "tokens", 6),
        ({"ids": [[1], [1, 2, 3], []]}, "tokens", 3),
        (["a text"], "tokens", querying.POSITIONS_ASSUMED),
        (np.zeros((3, 9)), None, 1),
    ],
)
def test_the_size_of_an_answer_counts_its_positions(rows, positions, expected):
    rows = StructuredRows.of(rows) if isinstance(rows, dict) else rows
    assert answer_bytes(rows, Sizes(10, positions).form) == 4 * 10 * expected


def test_numbers_for_all_rows_of_many_classes_are_refused_with_what_they_would_take(monkeypatch):
    monkeypatch.setattr(querying, "TARGET_BYTES", 8 * 30 * 100 - 1)
    teacher = Sizes(100)
    with pytest.raises(BadInput, match=r"for each of 30 rows and 100 classes would take 0\.0 GiB, all at once\. Use TorchStudent"):
        query(teacher, X)
    assert not teacher.sizes
