from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

from tutelage.checks.networks import check_mode, check_student
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.held_networks import networks_in


@dataclass
class Holder:
    held: object


def network():
    return nn.Linear(3, 2).eval()


def closure(inner):
    return lambda rows: inner(rows) / 2


class Serving:
    def __init__(self, inner):
        self.inner = inner

    def answer(self, rows):
        return self.inner(rows)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda inner: inner,
        Holder,
        lambda inner: Holder([Holder(inner)]),
        lambda inner: {"a": (inner,)},
        closure,
        lambda inner: Serving(inner).answer,
    ],
)
def test_a_network_is_found_in_every_kind_of_holder(wrapped):
    inner = network()
    assert networks_in(wrapped(inner)) == [inner]


def test_circular_references_and_other_objects_hold_no_network():
    circle = Holder(None)
    circle.held = [circle, "text", 3, partial(print)]
    assert networks_in(circle) == []


def test_the_attribute_teacher_is_skipped():
    student = Holder(network())
    student.teacher = network()
    assert networks_in(student) == [student.held]


def test_a_single_layer_in_train_mode_is_a_note():
    deep = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    teacher = as_teacher(deep, classes=(0, 1))
    assert [finding.severity for finding in check_mode(teacher)] == ["ok"]
    deep[1].train()
    (finding,) = check_mode(teacher)
    assert (finding.severity, finding.figure) == ("note", {"networks": 1, "in train mode": 1})
    assert deep[1].training  # the check does not change the mode


def test_a_teacher_without_networks_is_not_checked():
    model = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
    assert list(check_mode(as_teacher(model))) == []


def severity(teacher, student):
    (finding,) = check_student(teacher, student)
    return finding.severity


def test_the_student_must_be_another_object():
    model = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
    teacher = as_teacher(model)
    assert severity(teacher, model) == "error"
    assert severity(teacher, teacher) == "error"
    assert severity(teacher, LogisticRegression()) == "ok"


def test_a_shared_layer_is_an_error_and_equal_weights_are_not():
    big, small = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    teacher = as_teacher(big, classes=(0, 1))
    small.load_state_dict(big.state_dict())
    assert severity(teacher, small) == "ok"
    small[1] = big[1]
    (finding,) = check_student(teacher, small)
    assert (finding.severity, finding.figure["shared tensors"]) == ("error", 2)
