import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.search.choice import best_setting, smallest_of_equals


def test_the_lowest_mean_error_wins_and_the_first_one_on_ties():
    assert best_setting([[9, 5, 1], [1, 2, 9]]) == 1
    assert best_setting([[3, 3], [3, 3]]) == 0


@pytest.mark.parametrize("errors", [[], [1, 2], np.empty((3, 0))])
def test_errors_without_seeds_or_settings_are_refused(errors):
    with pytest.raises(BadInput, match=r"expected \(seeds, settings\)"):
        best_setting(errors)


def test_a_smaller_student_wins_if_validation_cannot_tell_it_from_the_best():
    losses = [[0.100, 0.120, 0.110], [0.111, 0.119, 0.105], [0.20, 0.22, 0.21]]
    assert smallest_of_equals(losses, [9000, 3000, 1000]) == 1
    assert smallest_of_equals(losses, [9000, 8900, 1000]) == 0, "a tenth smaller at least"
    assert smallest_of_equals(losses, [9000, None, 1000]) == 0
    assert smallest_of_equals(losses, [None, 3000, 1000]) == 0


def test_a_smaller_student_that_is_worse_in_every_seed_does_not_win():
    assert smallest_of_equals([[0.10, 0.12, 0.11], [0.11, 0.13, 0.12]], [9000, 10]) == 0


def test_the_smallest_of_several_equals_wins():
    assert smallest_of_equals([[0.1, 0.1], [0.1, 0.1], [0.1, 0.1]], [9000, 10, 20]) == 1
