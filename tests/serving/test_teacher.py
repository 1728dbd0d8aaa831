"""The teacher answers the rows that the student leaves to it, and only the teacher that the threshold was found with."""

import asyncio
import threading
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from loan_rows import loans
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import FixedThresholdClassifier

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.exporters.subject.threshold import with_threshold
from tutelage.serving.app import create_app
from tutelage.serving.batching import Busy
from tutelage.serving.settings import Settings
from tutelage.students.cascade import Guarantee
from tutelage.workflow.open_answers import NamedTeacher


def answers(app, rows):
    with TestClient(app) as client:
        found = client.post("/v1/answers", json={"rows": rows})
        return found.json()["answers"] if found.status_code == 200 else found


def test_without_a_teacher_deferred_rows_say_so(cascade, table):
    found = answers(create_app(cascade), table.rows)
    assert {answer["answered_by"] for answer in found} == {"student"}
    threshold = create_app(cascade).state.service.served.guarantee["threshold"]
    assert [answer["deferred"] for answer in found] == [answer["confidence"] < threshold for answer in found]
    assert {answer["deferred"] for answer in found} == {True, False}


def test_the_teacher_answers_the_rows_that_are_left_to_it(cascade, table, teacher):
    app = create_app(cascade, teacher=teacher)
    alone, together = answers(create_app(cascade), table.rows), answers(app, table.rows)
    frame = loans(60, seed=2).drop(columns="paid")
    expected = teacher.form.probabilities(teacher.answer(frame))
    for row, (student, found) in enumerate(zip(alone, together, strict=True)):
        if student["deferred"]:
            assert found["answered_by"] == "teacher"
            order = [teacher.form.classes.index(name) for name in found["probabilities"]]
            np.testing.assert_allclose(list(found["probabilities"].values()), expected[row][order], atol=1e-9)
            assert found["prediction"] == teacher.form.classes[expected[row].argmax()]
        else:
            assert found == student
    service = app.state.service
    left = sum(answer["deferred"] for answer in alone)
    text = service.metrics.text().decode()
    assert f'tutelage_answers_total{{answered_by="teacher"}} {float(left)}' in text
    assert f"tutelage_deferred_total {float(left)}" in text


def test_classes_that_the_student_never_saw_are_answered_by_its_teacher(tmp_path):
    random = np.random.default_rng(0)
    X = random.normal(size=(2400, 2))
    y = np.select([np.abs(X[:, 1]) < 0.2, X[:, 1] > 0], ["rare", "up"], "down")
    teacher = RandomForestClassifier(20, random_state=0).fit(X[:800], y[:800])
    seen = y[:800] != "rare"
    student = tl.SoftLogistic().fit(X[:800][seen], y[:800][seen])
    cascade = tl.Cascade(student, teacher, target=0.9).fit(X[800:2000])
    tl.export(cascade, tmp_path / "student.onnx", check_on=X[:200])
    app, rows = create_app(tmp_path, teacher=teacher), X[2000:]
    found = answers(app, rows.tolist())
    assert [answer["prediction"] for answer in found] == cascade.predict(rows).tolist()
    assert any(answer["prediction"] == "rare" for answer in found)
    assert {tuple(answer["probabilities"]) for answer in found} == {("down", "up", "rare")}
    own = [answer for answer in found if answer["answered_by"] == "student"]
    assert {answer["probabilities"]["rare"] for answer in own} == {0}
    described = app.openapi()["components"]["schemas"]
    assert any("rare" in str(schema) for schema in described.values())
    assert {tuple(answer["probabilities"]) for answer in answers(create_app(tmp_path), rows.tolist())} == {("down", "up")}


def test_a_teacher_that_lacks_a_class_of_the_student_is_named_by_its_side(cascade, teacher):
    lacking = SimpleNamespace(
        form=tl.AnswerForm("probabilities", "binary", ("no", "perhaps")), fingerprint=teacher.fingerprint, answer=teacher.answer
    )
    with pytest.raises(LabelMismatch, match=r"the student's classes are .*; expected \['no', 'perhaps'\]"):
        create_app(cascade, teacher=lacking)


def test_a_teacher_with_a_rule_of_its_own_decides_by_it(tmp_path):
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(3000, 2)), columns=["a", "b"])
    y = np.where(np.sin(3 * X["a"]) + X["b"] + random.normal(0, 0.7, 3000) > 0.8, "yes", "no")
    forest = RandomForestClassifier(30, min_samples_leaf=10, random_state=0)
    tuned = FixedThresholdClassifier(forest, threshold=0.2, response_method="predict_proba").fit(X[:1000], y[:1000])
    student = tl.SoftTree(max_leaf_nodes=40).fit(X[1000:1500], tl.as_teacher(tuned))
    calibrated = tl.Cascade(student, tuned, target=0.9).fit(X[1500:2500])
    assert calibrated.guarantee_.own_decisions
    tl.export(calibrated, tmp_path / "student.onnx", check_on=X[:200])
    rows = X[2500:]
    found = answers(create_app(tmp_path, teacher=tuned), rows.to_dict("records"))
    predictions = np.array([answer["prediction"] for answer in found])
    taught = np.array([answer["answered_by"] == "teacher" for answer in found])
    assert 0.1 < taught.mean() < 0.9
    np.testing.assert_array_equal(predictions[taught], tuned.predict(rows)[taught])
    np.testing.assert_array_equal(predictions, calibrated.predict(rows))
    assert (predictions == tuned.predict(rows)).mean() >= 0.9
    by_the_rule = [one for one in found if one["answered_by"] == "teacher" and one["confidence"] < 0.5]
    assert by_the_rule  # decided for "yes" from a probability of 0.2 on
    assert all(answer["confidence"] == answer["probabilities"][answer["prediction"]] for answer in found)
    of_recorded = tl.Cascade(student, tuned, target=0.9).fit(X[1500:2500], labels=tl.record(tuned, X[1500:2500]))
    tl.export(of_recorded, tmp_path / "student.onnx", check_on=X[:200])
    found = answers(create_app(tmp_path, teacher=tuned), rows.to_dict("records"))
    assert all(answer["confidence"] >= 0.5 for answer in found)


def test_another_teacher_is_refused(cascade, table):
    from sklearn.dummy import DummyClassifier

    frame = loans(60, seed=2)
    other = DummyClassifier().fit(frame.drop(columns="paid"), frame["paid"])
    with pytest.raises(BadInput, match=r"was found with the teacher .*, and the given one is .*: what was proven does not hold for it"):
        create_app(cascade, teacher=other)


def test_a_teacher_that_reads_more_than_the_file_takes_is_refused_at_the_start(tmp_path):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.normal(size=2000), "shop": random.integers(0, 3, 2000).astype(float)})
    forest = RandomForestClassifier(10, random_state=0).fit(X, X["a"] > 0)
    function = tl.as_teacher(lambda rows: forest.predict_proba(rows[["a", "shop"]]), kind="probabilities", classes=[False, True], version=1)
    student = tl.SoftTree(max_leaf_nodes=4).fit(X[["a"]], X["a"] > 0)
    reads = r"the teacher reads the column 'shop', which .*student.onnx does not take: its rows are 'a'. Serve without the teacher"
    fails = r"the teacher does not answer a made row of the columns of .*student.onnx \(KeyError: .*shop.*\)\."
    for teacher, sentence in ((forest, reads), (function, fails)):
        both = Guarantee(0.7, 0.9, 0.05, "teacher", "all", 100, 50, 1, 100, tl.as_teacher(teacher).fingerprint)
        tl.export(with_threshold(student, both), tmp_path / "student.onnx", check_on=X[["a"]])
        with pytest.raises(BadInput, match=sentence):
            create_app(tmp_path, teacher=teacher)


def test_a_teacher_that_hangs_does_not_hang_the_start(cascade, teacher, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr("tutelage.serving.app.START_S", 0.05)
    monkeypatch.setattr("tutelage.serving.teacher.TeacherBeside.try_on", lambda self, example: released.wait())
    try:
        with pytest.raises(BadInput, match=r"the teacher has not answered a made row within 0.1 seconds"):
            create_app(cascade, teacher=teacher, settings=Settings(teacher_timeout=0.1))
    finally:
        released.set()


def test_a_student_without_a_threshold_takes_no_teacher(table, teacher):
    with pytest.raises(BadInput, match="leaves no rows to a teacher: it has no threshold"):
        create_app(table.run, teacher=teacher)


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (
            RuntimeError("a cell: 12345"),
            502,
            "the student is too unsure, and the teacher failed to answer; send it again later.",
        ),
        (
            BadInput("column 'age' is odd."),
            422,
            "the student is too unsure, and the teacher does not take the row: column 'age' is odd.",
        ),
    ],
)
def test_a_teacher_that_fails_is_a_problem_of_those_rows_alone(error, status, sentence, cascade, table, teacher, monkeypatch, caplog):
    app = create_app(cascade, teacher=teacher)
    alone = answers(create_app(cascade), table.rows)

    def broken(rows):
        raise error

    monkeypatch.setattr(app.state.service.teacher, "_answer", broken)
    with TestClient(app) as client:
        for row, answer in zip(table.rows, alone, strict=True):
            found = client.post("/v1/answer", json=row)
            if answer["deferred"]:
                assert (found.status_code, found.json()["detail"]) == (status, sentence)
            else:
                assert found.status_code == 200
        together = client.post("/v1/answers", json={"rows": table.rows}).json()["answers"]
    unanswered = {"answered_by": None, "deferred": True, "error": sentence}
    assert together == [unanswered if answer["deferred"] else answer for answer in alone]
    left = sum(answer["deferred"] for answer in alone)
    assert f"tutelage_unanswered_total {float(2 * left)}" in app.state.service.metrics.text().decode()
    assert "12345" not in caplog.text


def failing(teacher, odd):
    """The teacher, and what sets how it answers from then on: as `odd` does, given what it would have answered."""

    class Failing(type(teacher)):
        def answer(self, inputs):
            found = super().answer(inputs)
            return found if not odd else self.form.take(odd[0](found), len(inputs))

    return Failing(**{name: getattr(teacher, name) for name in teacher.__dataclass_fields__})


def raising(error):
    def odd(found):
        raise error

    return odd


@pytest.mark.parametrize(
    ("odd", "named"),
    [
        (raising(SystemExit(0)), "SystemExit"),
        (raising(asyncio.CancelledError()), "CancelledError"),
        (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
        (raising(StopIteration()), "StopIteration"),
        (lambda found: np.full_like(found, np.nan), "NotProbabilities"),
        (lambda found: found[:0], "ShapeError"),
        (lambda found: np.concatenate([found, found]), "LabelMismatch"),
        (lambda found: found[:, :1].astype(str), "ShapeError"),
    ],
)
def test_a_teacher_that_fails_in_any_way_is_502_and_the_server_goes_on(odd, named, cascade, table, teacher, caplog):
    how = []
    app = create_app(cascade, teacher=failing(teacher, how))
    alone = answers(create_app(cascade), table.rows)
    row = next(row for row, answer in zip(table.rows, alone, strict=True) if answer["deferred"])
    how.append(odd)
    with TestClient(app) as client:
        found = client.post("/v1/answer", json=row)
        expected = "the student is too unsure, and the teacher failed to answer; send it again later."
        assert (found.status_code, found.json()["detail"]) == (502, expected)
        together = client.post("/v1/answers", json={"rows": table.rows}).json()["answers"]
        assert [one.get("error") for one in together] == [expected if one["deferred"] else None for one in alone]
        how.clear()
        assert client.post("/v1/answer", json=row).json()["answered_by"] == "teacher"
    assert f"the teacher failed with {named}" in caplog.text


@pytest.mark.parametrize("error", [SystemExit(0), asyncio.CancelledError(), KeyboardInterrupt(), StopIteration()])
def test_a_teacher_that_fails_at_the_start_is_refused(error, cascade, teacher):
    with pytest.raises(BadInput, match=rf"the teacher does not answer a made row .*\({type(error).__name__}: "):
        create_app(cascade, teacher=failing(teacher, [raising(error)]))


def test_a_function_that_ends_the_program_fails_and_does_not_refuse_the_row():
    def leaves(rows):
        raise SystemExit(0)

    for called in (
        tl.as_teacher(leaves, kind="probabilities", classes=["no", "yes"], version="1").answer,
        NamedTeacher(SimpleNamespace(answer=leaves), "mine:teacher", None).answer,
    ):
        with pytest.raises(BadInput) as failed:
            called(np.zeros((1, 1)))
        assert failed.value.model_at_fault
    with pytest.raises(BadInput) as refused:
        NamedTeacher(SimpleNamespace(answer=raising(ValueError("odd"))), "mine:teacher", None).answer(np.zeros((1, 1)))
    assert not refused.value.model_at_fault


def test_a_row_that_the_teacher_does_not_take_spoils_no_other(cascade, table, teacher, monkeypatch):
    app = create_app(cascade, teacher=teacher)
    expected = answers(app, table.rows)
    left = [place for place, answer in enumerate(expected) if answer["answered_by"] == "teacher"]
    answer, bad = app.state.service.teacher._answer, table.rows[left[0]]["age"]

    def picky(rows):
        if (rows.numbers[:, 0] == bad).any():
            raise BadInput("that age is odd.")
        return answer(rows)

    monkeypatch.setattr(app.state.service.teacher, "_answer", picky)
    found = answers(app, table.rows)
    odd = [place for place in left if table.rows[place]["age"] == bad]
    assert len(odd) < len(left)
    assert [place for place, answer in enumerate(found) if "error" in answer] == odd
    assert all(found[place] == expected[place] for place in range(len(found)) if place not in odd)


def test_a_teacher_that_hangs_is_waited_for_no_longer_than_allowed(cascade, table, teacher, monkeypatch):
    app = create_app(cascade, teacher=teacher, settings=tl.serving.Settings(teacher_timeout=0.2))
    alone = answers(create_app(cascade), table.rows)
    gate, answer = threading.Event(), app.state.service.teacher._answer
    monkeypatch.setattr(app.state.service.teacher, "_answer", lambda rows: answer(rows) if gate.wait(20) else None)
    sentence = "the student is too unsure, and the teacher did not answer within 0.2 seconds; send it again later."
    with TestClient(app) as client:
        together = client.post("/v1/answers", json={"rows": table.rows}).json()["answers"]
        assert {answer["error"] for answer in together if answer["answered_by"] is None} == {sentence}
        assert [answer.get("prediction") for answer in together if not answer["deferred"]] == [
            answer["prediction"] for answer in alone if not answer["deferred"]
        ]
        row = next(row for row, answer in zip(table.rows, alone, strict=True) if answer["deferred"])
        found = client.post("/v1/answer", json=row)
        assert (found.status_code, found.json()["detail"]) == (504, sentence)
        gate.set()


def test_a_full_queue_of_the_teacher_keeps_the_answers_of_the_student(cascade, table, teacher, monkeypatch):
    app = create_app(cascade, teacher=teacher)

    async def full(rows, gone=None):
        raise Busy

    monkeypatch.setattr(app.state.service.teacher, "ask", full)
    found = answers(app, table.rows)
    assert {answer["answered_by"] for answer in found} == {"student", None}
    assert next(answer["error"] for answer in found if "error" in answer).startswith("the student is too unsure, and the teacher's queue")


def test_rows_reach_the_teacher_as_a_frame_of_their_types(cascade, teacher, table):
    seen = []
    original = type(teacher).answer

    class Watching(type(teacher)):
        def answer(self, inputs):
            seen.append(inputs)
            return original(self, inputs)

    watching = Watching(**{name: getattr(teacher, name) for name in teacher.__dataclass_fields__})
    answers(create_app(cascade, teacher=watching), table.rows)
    frame = seen[-1]
    assert isinstance(frame, pd.DataFrame)
    assert frame["opened"].dtype.kind == "M"
    assert frame["waited"].dtype.kind == "m"
    assert list(frame.columns) == ["age", "income", "opened", "waited", "owner", "purpose of it"]
