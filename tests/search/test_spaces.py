import optuna
import pytest
from scipy import stats

from tutelage.core.errors import BadInput
from tutelage.search.spaces import space_of


def only(given):
    return space_of({"one": given}, ["one"], of="mine").distributions["one"]


def test_what_users_write_becomes_distributions():
    own = optuna.distributions.IntDistribution(1, 9)
    assert only(own) is own
    assert only(range(2, 11, 4)) == optuna.distributions.IntDistribution(2, 10, step=4)
    assert only(["a", 1, None]) == optuna.distributions.CategoricalDistribution(["a", 1, None])
    assert only(stats.randint(1, 9)) == optuna.distributions.IntDistribution(1, 8)
    assert only(stats.uniform(1, 2)) == optuna.distributions.FloatDistribution(1.0, 3.0)
    assert only(stats.loguniform(1e-3, 1)) == optuna.distributions.FloatDistribution(1e-3, 1.0, log=True)


def test_values_that_are_neither_texts_nor_numbers_are_decoded():
    space = space_of({"layers": [(8,), (8, 8)], "depth": [1, 2]}, ["layers", "depth"], of="mine")
    assert space.decoded({"layers": "(8,)", "depth": 2}) == {"layers": (8,), "depth": 2}


@pytest.mark.parametrize("given", [3, "abc", {1, 2}, [], range(0), stats.norm(0, 1), None])
def test_what_is_no_distribution_is_refused_by_name(given):
    with pytest.raises(BadInput, match=r"the space of 'one' of the student 'mine' is .*; expected an Optuna distribution"):
        only(given)


def test_a_setting_that_the_student_has_not_is_refused():
    with pytest.raises(BadInput, match=r"the student 'mine' has no setting 'dept' to search; .* Did you mean depth\?"):
        space_of({"dept": [1]}, ["depth"], of="mine")
    with pytest.raises(BadInput, match="the space of the student 'mine' is 3; expected a dict"):
        space_of(3, [], of="mine")
