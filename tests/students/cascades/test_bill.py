import numpy as np
import pytest
from chat_endpoint import Reply, asker, by_word, completion, serving
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.core.records import Latency
from tutelage.students.cascades.bill import Bill

TABLE = Bill(1000, 800, (0.774, 0.824), Latency(100.0, 150.0, None, 10, 1), Latency(20_000.0, 30_000.0, None, 10, 1), 0.5, 12.0)


@pytest.fixture(scope="module")
def cascade_and_rows():
    X, y = make_classification(3000, 10, n_informative=6, random_state=0)
    teacher = RandomForestClassifier(100, random_state=0).fit(X[:1000], y[:1000])
    student = tl.SoftTree(max_leaf_nodes=32).fit(X[:1000], tl.as_teacher(teacher))
    return tl.Cascade(student, teacher, target=0.95).fit(X[1000:2000]), X[2000:]


def test_every_row_costs_the_student_and_those_left_the_teacher_too():
    assert TABLE.coverage == 0.8
    assert TABLE.both_us == pytest.approx(100 + 0.2 * 20_000)
    assert TABLE.both_cost == pytest.approx(0.5 + 0.2 * 12)
    assert TABLE.both_cost_ci95 == pytest.approx((0.5 + 0.176 * 12, 0.5 + 0.226 * 12))


def test_it_prints_as_a_table():
    assert str(TABLE).splitlines() == [
        "The student answers 80 % of 1,000 rows (77.4 % to 82.4 %).",
        "                             student     teacher        both",
        "microseconds a row               100      20,000       4,100",
        "cost of 1 000 answers           0.50       12.00        2.90",
    ]
    unknown = Bill(1000, 800, (0.774, 0.824), TABLE.student, TABLE.teacher)
    assert unknown.both_cost is None
    assert unknown.both_cost_ci95 is None
    assert str(unknown).splitlines()[-1].split() == ["cost", "of", "1", "000", "answers", "0.00", "-", "-"]


def test_it_is_measured_on_rows(cascade_and_rows):
    cascade, rows = cascade_and_rows
    bill = cascade.bill(rows, teacher_cost=10, seconds=0.1)
    share = 1 - cascade.defers(rows).mean()
    assert (bill.rows, bill.coverage) == (1000, share)
    assert bill.coverage_ci95[0] < share < bill.coverage_ci95[1]
    assert 0 < bill.student.p50_us < bill.both_us < bill.teacher.p50_us
    assert bill.student.batch_rows == bill.teacher.batch_rows == 1
    assert bill.both_cost == pytest.approx((1 - share) * 10)


def test_the_teacher_is_asked_single_rows_only(cascade_and_rows):
    cascade, rows = cascade_and_rows
    asked = []

    def teach(given):
        asked.append(len(given))
        return cascade.teacher.predict_proba(given)

    counted = tl.Cascade(cascade.student, tl.as_teacher(teach, kind="probabilities", classes=[0, 1], version=1), target=0.9).fit(rows)
    asked.clear()
    counted.bill(rows, seconds=0)
    assert set(asked) == {1}


@pytest.mark.parametrize("argument", [{"student_cost": -1}, {"teacher_cost": "cheap"}, {"seconds": None}, {"seconds": -1}])
def test_costs_that_cannot_be_used_are_refused(cascade_and_rows, argument):
    cascade, rows = cascade_and_rows
    with pytest.raises(BadInput, match=f"{next(iter(argument))} is"):
        cascade.bill(rows, **argument)


@pytest.mark.exhaustive
def test_a_language_model_is_billed_the_time_of_its_requests():
    def slow(body):
        return Reply(completion(body, by_word(body)), wait=0.02)

    def words(texts):
        spam = np.array(["win" in text for text in texts], dtype=float)
        return np.column_stack([spam, 1 - spam])

    texts = [f"{'win' if number % 2 else 'see'} {number}" for number in range(100)]
    student = tl.as_teacher(words, kind="probabilities", classes=["spam", "ham"])
    with serving(slow) as endpoint:
        cascade = tl.Cascade(student, asker(endpoint, concurrency=20), target=0.9).fit(texts)
        assert cascade.bill(texts, seconds=0.01).teacher.p50_us >= 20_000
        assert len(endpoint.bodies) == 100
