import numpy as np
import pytest
from chat_endpoint import Reply, asker, completion, serving
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.data.rows import as_rows
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.reporting.teacher_cost import teacher_cost

ROWS = as_rows(np.arange(40.0).reshape(20, 2))
TREE = DecisionTreeClassifier().fit(ROWS.part(0, 20), [0, 1] * 10)


def test_a_model_is_timed_once_for_a_folder(tmp_path):
    folder = RunFolder(tmp_path)
    first = teacher_cost(tl.as_teacher(TREE), ROWS, folder)
    assert first.alone.batch_rows == 1
    assert first.alone.p50_us > 0
    assert first.size_bytes > 500
    assert teacher_cost(tl.as_teacher(TREE), ROWS, folder) == first


def test_a_function_is_not_asked_again(tmp_path):
    def paid_by_the_call(rows):
        pytest.fail("the function was called")

    teacher = tl.as_teacher(paid_by_the_call, kind="probabilities", task="binary", classes=["no", "yes"], version="1")
    found = teacher_cost(teacher, ROWS, RunFolder(tmp_path))
    assert (found.size_bytes, found.alone) == (None, None)


def test_recorded_answers_have_no_cost(tmp_path):
    found = teacher_cost(tl.record(TREE, ROWS.part(0, 20)), ROWS, RunFolder(tmp_path))
    assert (found.size_bytes, found.alone) == (None, None)


def test_the_latency_of_a_language_model_is_that_of_its_requests(tmp_path):
    with serving(lambda body: Reply(completion(body, "ham"), wait=0.05)) as endpoint:
        teacher = asker(endpoint)
        teacher.answer(["a", "b", "c"])
        found = teacher_cost(teacher, as_rows(["a", "b", "c"]), RunFolder(tmp_path / "alone"))
        assert found.alone.calls == 3
        assert found.alone.p50_us >= 50_000
        both = tl.ensemble([teacher, asker(endpoint, model="m-2")])
        assert teacher_cost(both, as_rows(["a"]), RunFolder(tmp_path / "both")).alone is None
    assert len(endpoint.bodies) == 3
