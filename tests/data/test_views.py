import numpy as np
import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.views import Affine, Augmentation, Views, uniforms

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(size=(7, 12, 10)).astype(np.float32)
FREE = Affine(degrees=15, zoom=0.1, shear=0.1, shift=2)


def test_a_view_of_a_row_is_the_same_whoever_stands_beside_it():
    views = Views(PICTURES, FREE, count=3, seed=5)
    whole = views.view(2, slice(None))
    np.testing.assert_array_equal(views.view(2, np.array([6, 1])), whole[[6, 1]])
    np.testing.assert_array_equal(Views(PICTURES, FREE, count=9, seed=5).view(2, slice(4, 5)), whole[4:5])
    assert not np.array_equal(views.view(1, slice(None)), whole)
    assert not np.array_equal(Views(PICTURES, FREE, seed=6).view(2, slice(None)), whole)


def test_as_rows_they_come_view_after_view_however_they_are_cut():
    views = Views(PICTURES, FREE, count=3)
    rows = as_rows(views)
    assert rows.count == len(views) == 21
    expected = np.concatenate([views.view(number, slice(None)) for number in range(3)])
    for size in (1, 4, 21):
        np.testing.assert_array_equal(np.concatenate([part for *_, part in rows.parts(size)]), expected)
    assert len(np.unique(row_names(expected))) == 21


def test_the_first_view_is_the_row_itself_if_wished():
    views = Views(PICTURES, FREE, plain_first=True)
    np.testing.assert_array_equal(views.view(0, slice(None)), PICTURES)
    assert not np.array_equal(views.view(1, slice(None)), PICTURES)


@pytest.mark.parametrize("shape", [(7, 12, 10), (7, 1, 12, 10), (7, 120)])
def test_pictures_come_back_in_the_shape_they_came_in(shape):
    affine = Affine(degrees=15, shift=2, shape=(12, 10)) if len(shape) == 2 else Affine(degrees=15, shift=2)
    expected = Views(PICTURES, Affine(degrees=15, shift=2)).view(1, slice(None))
    np.testing.assert_array_equal(Views(PICTURES.reshape(shape), affine).view(1, slice(None)).reshape(7, 12, 10), expected)


def test_bounds_of_zero_change_nothing():
    np.testing.assert_allclose(Views(PICTURES, Affine()).view(3, slice(None)), PICTURES, atol=1e-5)


def test_a_shift_moves_pixels_and_fills_with_zeros():
    seen = Affine(shift=2)(PICTURES[:1], np.array([[0.5, 0.5, 0.5, 0.5, 1.0, 0.5]]))  # two pixels to the left
    np.testing.assert_allclose(seen[0, :, :-2], PICTURES[0, :, 2:], atol=1e-5)
    np.testing.assert_allclose(seen[0, :, -2:], 0, atol=1e-5)


def test_a_quarter_turn_is_a_quarter_turn():
    square = PICTURES[:1, :10, :10]
    seen = Affine(degrees=90)(square, np.array([[1.0, 0.5, 0.5, 0.5, 0.5, 0.5]]))
    assert min(abs(seen[0] - np.rot90(square[0], k)).max() for k in (1, 3)) < 1e-5


def test_a_mirror_changes_left_and_right_of_about_every_other_picture_and_nothing_else():
    mirror = Affine(mirrored=True)
    still, turned = np.full((1, 7), 0.5), np.array([[0.5] * 6 + [0.1]])
    np.testing.assert_allclose(mirror(PICTURES[:1], still), PICTURES[:1], atol=1e-5)
    np.testing.assert_allclose(mirror(PICTURES[:1], turned), PICTURES[:1, :, ::-1], atol=1e-5)
    shifted = Affine(shift=2, mirrored=True)(PICTURES[:1], np.array([[0.5] * 4 + [1.0, 0.5, 0.1]]))  # seen in a mirror, then shifted
    np.testing.assert_allclose(shifted[0, :, :-2], PICTURES[0, :, ::-1][:, 2:], atol=1e-5)
    whole = np.repeat(PICTURES[:1], 400, axis=0)
    seen = Views(whole, mirror).view(1, slice(None))
    turned_ones = np.abs(seen - PICTURES[0, :, ::-1]).max(axis=(1, 2)) < 1e-5
    assert 150 < turned_ones.sum() < 250


def test_the_numbers_are_even_and_unrelated():
    numbers = uniforms(np.arange(20_000), 4, seed=0, view=1)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    np.testing.assert_allclose(np.histogram(numbers, bins=10, range=(0, 1))[0] / numbers.size, 0.1, atol=0.005)
    neighbours = np.column_stack([numbers[:-1], numbers[1:], uniforms(np.arange(19_999), 4, seed=0, view=2)])
    correlation = np.corrcoef(neighbours.T) - np.eye(12)
    assert abs(correlation).max() < 0.03


def test_an_augmentation_of_ones_own_is_a_few_lines():
    class Dimmed:
        numbers = 1

        def __call__(self, rows, numbers):
            return rows * numbers[:, :, None].astype(np.float32)

    assert isinstance(Dimmed(), Augmentation)
    seen = Views(torch.from_numpy(PICTURES), Dimmed()).view(4, slice(None))
    assert (seen <= PICTURES).all()
    assert len({round(float(value), 6) for value in seen[:, 0, 0] / PICTURES[:, 0, 0]}) == 7


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Views((PICTURES * 255).astype(np.uint8), FREE), BadInput, "got uint8 .* Scale whole numbers to floats"),
        (lambda: Views(PICTURES, FREE, count=0), BadInput, "0 views; expected 1 or more"),
        (lambda: Affine(zoom=1.5), BadInput, "zoom below 1"),
        (lambda: Affine(degrees=float("nan")), BadInput, "not all 0 or more"),
        (lambda: Views(PICTURES.reshape(7, 120), FREE).view(1, slice(None)), ShapeError, "or pass shape="),
        (lambda: Views(PICTURES.reshape(7, 120), Affine(shape=(7, 7))).view(1, slice(None)), ShapeError, "no pictures of 7 x 7"),
    ],
)
def test_what_cannot_be_seen_otherwise_is_refused(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_pictures_are_seen_through_the_grid_that_torch_would_make():
    augment = Affine(degrees=20, zoom=0.2, shear=0.3, shift=2, mirrored=True)
    rows = np.random.default_rng(0).random((5, 2, 6, 9), dtype=np.float32)
    numbers = uniforms(np.arange(5), augment.numbers, seed=0, view=1)
    grid = torch.nn.functional.affine_grid(torch.from_numpy(augment._inverse(numbers, 6, 9)), list(rows.shape), align_corners=False)
    wanted = torch.nn.functional.grid_sample(torch.from_numpy(rows), grid, padding_mode="zeros", align_corners=False)
    np.testing.assert_allclose(augment(rows, numbers), wanted.numpy(), atol=1e-5)
