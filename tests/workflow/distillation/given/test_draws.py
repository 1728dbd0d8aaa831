import numpy as np
import pytest

from tutelage.workflow.distillation.given.draws import drawn_by_class


def drawn_of(sizes, seed=0, *, share=0.2, keep_one=True):
    """The number of rows drawn of each class."""
    classes = np.random.default_rng(9).permutation(np.repeat(np.arange(len(sizes)), sizes))
    drawn = drawn_by_class(classes, share, np.random.default_rng(seed), keep_one=keep_one)
    return np.bincount(classes[drawn], minlength=len(sizes))


@pytest.mark.parametrize("size", [2, 3, 4, 6, 7])
@pytest.mark.parametrize("seed", [0, 1])
def test_rare_classes_together_give_their_share(size, seed):
    found = drawn_of([size] * 40 + [260, 260], seed)
    assert abs(found[:40].sum() - 0.2 * 40 * size) <= 0.5
    assert found.sum() == round(0.2 * (40 * size + 520))
    assert set(found[:40].tolist()) <= {int(0.2 * size), int(0.2 * size) + 1}


def test_classes_of_two_and_of_three_rows_give_their_share_each():
    found = drawn_of([2] * 40 + [3] * 40)
    assert (found[:40].sum(), found[40:].sum()) == (16, 24)


def test_each_rare_class_is_drawn_from_by_some_seeds():
    found = np.array([drawn_of([2] * 10 + [500], seed)[:10] for seed in range(60)])
    assert found.sum(axis=1).tolist() == [4] * 60
    assert found.any(axis=0).all()


@pytest.mark.parametrize("sizes", [[200, 200], [203, 197], [50, 50, 50], [1000, 13, 7, 480], [178, 182, 177, 183, 181, 182, 181, 179]])
def test_ordinary_classes_give_the_nearest_whole_numbers_to_their_share(sizes):
    found, exact = drawn_of(sizes), 0.2 * np.array(sizes)
    assert (np.abs(found - exact) < 1).all()
    assert found.sum() == round(0.2 * sum(sizes))


def test_two_classes_give_what_rounding_gives():
    for first in range(40, 60):
        assert drawn_of([first, 100 - first]).tolist() == [round(0.2 * first), round(0.2 * (100 - first))]


def test_one_row_of_each_class_stays_and_others_give_for_those_that_cannot():
    found = drawn_of([1] * 40 + [2] * 40 + [300])
    assert found[:40].tolist() == [0] * 40
    assert (found[40:80].sum(), found[80]) == (24, 60)
    alone = drawn_of([1] * 100 + [300])
    assert (alone[:100].sum(), alone[100]) == (0, 60)  # a common class gives no more than its own share


def test_a_draw_that_proves_a_rate_leaves_no_class_out():
    found = drawn_of([1] * 40 + [300], keep_one=False)
    assert (found[:40].sum(), found[40]) == (8, 60)
