import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.search.choice import best_setting


def test_the_lowest_mean_error_wins_and_the_first_one_on_ties():
    assert best_setting([[9, 5, 1], [1, 2, 9]]) == 1
    assert best_setting([[3, 3], [3, 3]]) == 0


@pytest.mark.parametrize("errors", [[], [1, 2], np.empty((3, 0))])
def test_errors_without_seeds_or_settings_are_refused(errors):
    with pytest.raises(BadInput, match=r"expected \(seeds, settings\)"):
        best_setting(errors)
