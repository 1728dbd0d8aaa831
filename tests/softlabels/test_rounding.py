import numpy as np
import pytest

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.softlabels.rounding import differ

VALUES, CLASSES = AnswerForm("values", "regression"), of_classes("probabilities", ["a", "b"])


@pytest.mark.parametrize(
    ("form", "recorded", "shift", "expected"),
    [
        (CLASSES, 0.25, 1e-5, False),
        (CLASSES, 0.25, 1e-2, True),
        (CLASSES.as_kind("logits"), 1000.0, 0.5, False),
        (CLASSES.as_kind("logits"), 10.0, 0.5, True),
        (VALUES, 1e6, 100.0, False),
        (VALUES, 1e-6, 1e-7, True),
        (VALUES, 1e-6, 1e-10, False),
        (VALUES, 0.0, 0.0, False),
    ],
)
def test_rounding_is_relative_to_the_numbers(form, recorded, shift, expected):
    first = np.full((3, 2), recorded)
    second = first.copy()
    second[1, 1] += shift
    assert differ(first, second, form).tolist() == [False, expected, False]


def test_half_precision_is_rounded_more():
    first, second = np.full((1, 2), 0.5), np.full((1, 2), 0.504)
    assert (differ(first, second, CLASSES).all(), differ(first, second, CLASSES, half=True).any()) == (True, False)
