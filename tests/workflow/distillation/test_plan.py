from types import FunctionType

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from tutelage.core.errors import BadInput
from tutelage.workflow.distillation.distill import plan_of


def plan(students):
    return plan_of("binary", has_truth=True, students=students)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("tree", "Tree"), "'tree' and 'Tree', which differ in capitals and punctuation alone"),
        (("a b", "a-b"), "'a b' and 'a-b', which differ"),
        (("+",), r"a student '\+', of which no file can be named"),
    ],
)
def test_students_whose_files_would_share_a_name_are_refused(names, match):
    with pytest.raises(BadInput, match=match):
        plan([{name: DecisionTreeClassifier()} for name in names])


def test_students_that_are_printed_alike_are_told_apart():
    def piped(last):
        steps = [(f"step{place}", StandardScaler(with_mean=place < 39 or last), [place]) for place in range(40)]
        return {"mine": make_pipeline(ColumnTransformer(steps), DecisionTreeClassifier())}

    one, same, other = (plan([piped(last)]) for last in (True, True, False))
    assert str(one.families[0].estimator) == str(other.families[0].estimator)
    assert one.identity() == same.identity()
    assert one.identity() != other.identity()


def test_values_of_a_space_that_are_printed_alike_are_told_apart():
    near, far = np.zeros(5000), np.zeros(5000)
    far[2500] = 1.0
    spaces = [{"mine": (DecisionTreeClassifier(), {"class_weight": [{0: one, 1: 1} for one in pair]})} for pair in ((1, 2), (1, 3))]
    assert plan([spaces[0]]).identity() != plan([spaces[1]]).identity()
    space = plan([{"mine": (DecisionTreeClassifier(), {"class_weight": [near, far]})}]).families[0].space
    decoded = [space.decoded({"class_weight": text})["class_weight"] for text in space.distributions["class_weight"].choices]
    assert decoded[0] is near
    assert decoded[1] is far


def net(inputs, outputs, width=8):
    return nn.Linear(inputs, outputs)


def biased(inputs, outputs, width=8):
    return nn.Linear(inputs, outputs, bias=False)


def test_networks_are_told_apart_by_their_code_and_their_weights():
    same = FunctionType(net.__code__, globals(), "net", net.__defaults__)
    other = FunctionType(biased.__code__, globals(), "net", net.__defaults__)
    other.__qualname__ = "net"
    line = nn.Linear(2, 2)
    plans = [plan({"net": one}).identity() for one in (net, same, other, (net, {"width": [8]}), line, line, nn.Linear(2, 2))]
    assert plans[0] == plans[1]
    assert plans[4] == plans[5]
    different = [plans[0], *plans[2:5], plans[6]]
    assert all(one != two for place, one in enumerate(different) for two in different[:place])
