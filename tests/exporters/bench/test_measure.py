import numpy as np
import pytest
from chat_endpoint import asker, serving
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.core.records import Latency
from tutelage.exporters.bench import measure as module
from tutelage.exporters.bench import repeats
from tutelage.exporters.bench.display import bench_table
from tutelage.exporters.bench.measure import bench
from tutelage.exporters.bench.repeats import AGREEING, Repeats
from tutelage.exporters.bench.shipped import shipped_file
from tutelage.students.trees import SoftTree
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.relabel import relabelled
from tutelage.training.student import TorchStudent

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
TREE = SoftTree(max_leaf_nodes=4, random_state=0).fit(X, (X[:, 0] > 0).astype(int))


@pytest.fixture(scope="module", autouse=True)
def no_more_processes_than_have_to_agree():
    """On a busy machine too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "MOST_PROCESSES", AGREEING)
        yield


@pytest.fixture(scope="module")
def result():
    forest = RandomForestClassifier(9, random_state=0).fit(X, X[:, 0] > 0)
    return bench(TREE, X, to=["py"], teacher=forest, seconds=0.2)


@pytest.mark.exhaustive
def test_every_contender_is_measured_in_turn_in_its_own_process(result):
    assert [one.name for one in result.contenders] == ["teacher", "student", "student.py"]
    teacher, student, file = result.contenders
    assert teacher.size_bytes > file.size_bytes
    assert file.peak_bytes < student.peak_bytes  # the standard library alone
    assert student.multiply_adds == file.multiply_adds == 2
    assert teacher.multiply_adds is None
    assert all(one.alone.batch_rows == 1 and one.batch.batch_rows == 60 and one.alone.calls > 0 for one in result.contenders)
    assert all(one.alone.ci95_us is not None for one in result.contenders)


@pytest.mark.exhaustive
def test_others_are_compared_with_the_fastest(result):
    (fastest,) = [one for one in result.contenders if one.slower is None]
    for one in result.contenders:
        if one is not fastest:
            middle, low, high = one.slower
            assert low <= middle <= high
            assert middle >= 1


@pytest.mark.exhaustive
def test_the_table_has_a_row_for_each_and_says_where_it_ran(result):
    table = bench_table(result)
    assert table.row_count == 3
    assert "student.py in Python 3" in table.caption
    assert [str(column.header) for column in table.columns][1] == "1 row, µs"


@pytest.mark.exhaustive
def test_what_cannot_be_measured_is_named_and_refused_if_it_was_asked_for():
    result = bench(TREE, X, seconds=0.02)
    assert any(reason.startswith("pte: a SoftTree cannot be written for ExecuTorch") for reason in result.skipped)
    with pytest.raises(BadInput, match="cannot be written for ExecuTorch"):
        bench(TREE, X, to=["pte"], seconds=0.02)
    with pytest.raises(BadInput, match="no target is named 'jpg'; expected one of"):
        bench(TREE, X, to=["jpg"])
    with pytest.raises(BadInput, match="seconds is -1"):
        bench(TREE, X, seconds=-1)
    with pytest.raises(BadInput, match=r"the teacher cannot be timed: it cannot be sent to another process \("):
        bench(TREE, X, teacher=lambda rows: rows, seconds=0.02)


def test_a_ratio_lies_between_those_of_the_ends_of_the_intervals():
    slow, fast = Latency(20.0, 30.0, (18.0, 22.0), 99, 1), Latency(10.0, 12.0, (9.0, 11.0), 99, 1)
    assert module._ratio(slow, fast) == pytest.approx((2, 18 / 11, 22 / 9))


@pytest.mark.exhaustive
def test_files_are_timed_by_several_processes_as_bench_times_them(monkeypatch):
    shares = []
    measure = Repeats.measure
    monkeypatch.setattr(
        Repeats, "measure", lambda self, child, seconds: shares.append((self.rows, seconds)) or measure(self, child, seconds)
    )
    file = shipped_file(TREE, "py", check_on=X)
    alone = file.latency(seconds=0.04)
    assert set(shares) == {(1, 0.01)}
    assert len(shares) == AGREEING
    assert alone.calls > 2 * AGREEING
    assert alone.ci95_us[0] <= alone.p50_us <= alone.ci95_us[1]
    shares.clear()
    assert file.latency(seconds=0.02, agreeing=2).ci95_us is None
    assert set(shares) == {(1, 0.01)}
    assert len(shares) >= 2
    shares.clear()
    bench(TREE, X, to=["py"], seconds=0.08)
    assert set(shares) == {(1, 0.01), (60, 0.01)}


@pytest.mark.exhaustive
@pytest.mark.parametrize("wrapped", [False, True])
def test_stored_answers_of_a_language_model_are_not_timed(wrapped):
    with serving() as endpoint:
        teacher = relabelled(asker(endpoint), ["ham", "spam"]) if wrapped else asker(endpoint)
        found = bench(TREE, X, to=["py"], teacher=teacher, seconds=0.05)
    assert [one.name for one in found.contenders] == ["student", "student.py"]
    assert found.skipped[0].startswith("teacher: answers of a language model are stored")


def test_a_network_of_values_is_timed_by_its_values():
    values = as_teacher(nn.Linear(3, 1), task="regression")
    student = TorchStudent(nn.Linear(3, 1)).fit(X.astype(np.float32), values, epochs=1)
    assert [one.name for one in bench(student, X.astype(np.float32), to=["onnx"], seconds=0.1).contenders] == ["student", "student.onnx"]
