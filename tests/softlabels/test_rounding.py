import numpy as np
import pytest

from tutelage.core.answer_values.top_answers import TopAnswers
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


@pytest.mark.parametrize("half", [False, True])
def test_an_impossible_class_differs_from_a_possible_one(half):
    form = CLASSES.as_kind("logits")
    first = np.array([[0.0, -np.inf], [0.0, -np.inf]])
    assert differ(first, np.array([[0.0, -np.inf], [0.0, 1.0]]), form, half=half).tolist() == [False, True]


LOGITS = np.random.default_rng(0).normal(size=(200, 300)) * 2
TOP = TopAnswers.of(LOGITS, "logits", 20)
MANY = of_classes("logits", range(300))


def test_the_most_probable_classes_differ_by_more_than_rounding():
    noise = 1e-5 * np.random.default_rng(1).normal(size=LOGITS.shape)
    nearly_tied = np.where(np.arange(300) % 2 == 0, LOGITS, np.roll(LOGITS, 1, axis=1))  # every class has a twin: pairs are exchanged
    for logits in (LOGITS, nearly_tied):
        again = TopAnswers.of(logits + noise, "logits", 20)
        top = TopAnswers.of(logits, "logits", 20)
        assert not differ(top, again, MANY).any()
        assert not differ(top.in_precision("float16"), again.in_precision("float16"), MANY, half=True).any()
    assert (TopAnswers.of(nearly_tied, "logits", 20).ids != TopAnswers.of(nearly_tied + noise, "logits", 20).ids).any()
    changed = LOGITS.copy()
    changed[7, TOP.ids[7, 2]] += 0.3
    changed[9, int(np.argmin(LOGITS[9]))] += 9  # a class of the rest that is now among them
    assert np.flatnonzero(differ(TOP, TopAnswers.of(changed, "logits", 20), MANY)).tolist() == [7, 9]
    assert differ(TOP, TopAnswers.of(LOGITS, "logits", 19), MANY).all()
    other_rest = TopAnswers(TOP.ids, TOP.log_probs, TOP.rest + 0.1 * (np.arange(200) == 3), 300)
    assert np.flatnonzero(differ(TOP, other_rest, MANY)).tolist() == [3]
