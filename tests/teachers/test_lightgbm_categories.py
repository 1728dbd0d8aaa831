import itertools

import lightgbm
import numpy as np
import pandas as pd
import pytest

from tutelage.teachers.lightgbm_categories import columns_of_lists


@pytest.mark.parametrize(
    ("infos", "unread", "sizes", "expected"),
    [
        (["[0:9]", "[0.5:1.5]"], [0, 0], [], []),
        (["-1:0:1", "[0:1]", "-1:2:0:1"], [0, 0, 0], [2, 3], [0, 2]),
        (["[0:2]", "-1:0:1:2"], [0, 0], [3], [1]),  # a column stored as categories comes first
        (["[0:2]", "-1:0:1"], [0, 0], [3, 2], [0, 1]),  # an ordered category, stored as a range
        (["-1:0:3", "-1:0:1"], [0, 0], [2], [1]),  # integers that were declared as categories have no list
        (["none", "-1:0:1", "none"], [1, 0, 1], [1, 2, 4], [0, 1, 2]),
        (["none", "none", "-1:0:1"], [1, 1, 0], [1, 2], [0, 2]),  # either of two columns that are never read
        (["[0:2]", "[0:2]"], [0, 0], [3], None),
        (["none", "[0:2]"], [1, 0], [3], None),
        (["[0:9]"], [0], [3], None),
        (["[0:2]"], [0], [3, 3], None),
        (["-1:0:1.5"], [0], [3], None),
    ],
)
def test_lists_of_categories_find_their_columns(infos, unread, sizes, expected):
    assert columns_of_lists(infos, [bool(idle) for idle in unread], sizes) == expected


def brute_force(infos, unread, sizes):
    """Every best placement, by trying all; the answer is the first if they agree on the columns that are read."""

    def codes(info):
        return [float(value) for value in info.strip("[]").split(":")]

    def fits(column, size):
        return unread[column] or (infos[column] != "none" and max(codes(infos[column])) < size and codes(infos[column])[0] in (0, -1))

    possible = [chosen for chosen in itertools.combinations(range(len(infos)), len(sizes)) if all(map(fits, chosen, sizes))]
    gains = [sum(infos[column].startswith("-1") for column in chosen) for chosen in possible]
    best = [chosen for chosen, gain in zip(possible, gains, strict=True) if gain == max(gains)]
    read = {tuple((column, place) for place, column in enumerate(chosen) if not unread[column]) for chosen in best}
    return best, len(read) == 1


@pytest.mark.parametrize("seed", range(60))
def test_the_answer_is_that_of_trying_every_placement(seed):
    random = np.random.default_rng(seed)
    infos = [str(random.choice(["none", "[0:1]", "[0:2]", "-1:0:1", "-1:0:1:2", "[5:9]"])) for _ in range(6)]
    unread = [info == "none" for info in infos]
    sizes = random.integers(2, 4, random.integers(1, 4)).tolist()
    best, settled = brute_force(infos, unread, sizes)
    found = columns_of_lists(infos, unread, sizes)
    if not settled:
        assert found is None
    if found is not None:
        assert tuple(found) in best


@pytest.mark.parametrize("ordered", [True, False])
def test_real_models(ordered):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, 90),
            "grade": pd.Categorical(random.choice(["c", "a", "b"], 90), categories=["c", "b", "a"], ordered=ordered),
            "empty": pd.Categorical([None] * 90, categories=["u"]),
            "colour": pd.Categorical(random.choice(["red", "blue"], 90)),
        }
    )
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(frame, random.normal(size=90)), 2)
    infos = next(line for line in booster.model_to_string().splitlines() if line.startswith("feature_infos=")).partition("=")[2].split(" ")
    assert columns_of_lists(infos, [info == "none" for info in infos], [len(levels) for levels in booster.pandas_categorical]) == [1, 2, 3]
