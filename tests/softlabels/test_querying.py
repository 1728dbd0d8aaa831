import numpy as np

from tutelage.core.answers import of_classes
from tutelage.softlabels import querying
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import query

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
