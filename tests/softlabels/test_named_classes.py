import numpy as np
import pytest

from tutelage.core.errors import BadInput, LabelMismatch, NotProbabilities
from tutelage.softlabels.named_classes import exp, from_tokens, labels_in


def test_tokens_of_one_class_are_added_and_the_rest_is_spread():
    lines = [[("Yes", 0.5), ("yes", 0.1), ("no", 0.1)], [("no", 0.8)]]
    numbers, labels = from_tokens(lines, "probabilities", classes=["yes", "no", "maybe"], rest="spread", mapping={"Yes": "yes"})
    assert labels == ("yes", "no", "maybe")
    np.testing.assert_allclose(numbers, [[0.6, 0.1, 0.3], [0.1, 0.8, 0.1]])
    logs, _ = from_tokens(
        [[(token, np.log(p)) for token, p in line] for line in lines],
        "log-probabilities",
        classes=labels,
        rest="spread",
        mapping={"Yes": "yes"},
    )
    np.testing.assert_allclose(exp(logs), numbers)


def test_the_classes_that_occur_are_sorted_and_dropped_tokens_are_none():
    assert labels_in([[("b", 0.1), ("a", 0.2)], None, [("?", 0.3), ("c", None)]], {"?": None}) == ("a", "b")


@pytest.mark.parametrize(
    ("line", "error", "message"),
    [
        ([("a", 0.9), ("b", 0.9)], NotProbabilities, "line 0 sum to 1.8"),
        ([("a", -0.9), ("b", 0.9)], NotProbabilities, "line 0 holds numbers that are not probabilities"),
        ([("d", 0.9)], LabelMismatch, "has the class 'd' in line 0"),
        (None, BadInput, "line 0 does not name its classes"),
    ],
)
def test_lines_that_are_no_distribution_are_refused(line, error, message):
    with pytest.raises(error, match=message):
        from_tokens([line], "probabilities", classes=["a", "b"], rest="spread", mapping={})
