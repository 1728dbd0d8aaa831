import numpy as np
import pytest
import torch

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import row_names
from tutelage.data.rows import as_rows
from tutelage.data.views import Affine, Augmentation, Views, uniforms

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(7, 12, 10)).astype(np.float32)
FREE = Affine(degrees=15, zoom=0.1, shear=0.1, shift=2)


def test_a_view_of_a_row_does_not_depend_on_the_batch():
    views = Views(IMAGES, FREE, count=3, seed=5)
    whole = views.view(2, slice(None))
    np.testing.assert_array_equal(views.view(2, np.array([6, 1])), whole[[6, 1]])
    np.testing.assert_array_equal(Views(IMAGES, FREE, count=9, seed=5).view(2, slice(4, 5)), whole[4:5])
    assert not np.array_equal(views.view(1, slice(None)), whole)
    assert not np.array_equal(Views(IMAGES, FREE, seed=6).view(2, slice(None)), whole)


def test_rows_are_ordered_by_view_for_any_part_size():
    views = Views(IMAGES, FREE, count=3)
    rows = as_rows(views)
    assert rows.count == len(views) == 21
    expected = np.concatenate([views.view(number, slice(None)) for number in range(3)])
    for size in (1, 4, 21):
        np.testing.assert_array_equal(np.concatenate([part for *_, part in rows.parts(size)]), expected)
    assert len(np.unique(row_names(expected))) == 21


def test_the_first_view_is_the_original_row_on_request():
    views = Views(IMAGES, FREE, plain_first=True)
    np.testing.assert_array_equal(views.view(0, slice(None)), IMAGES)
    assert not np.array_equal(views.view(1, slice(None)), IMAGES)


@pytest.mark.parametrize("shape", [(7, 12, 10), (7, 1, 12, 10), (7, 120)])
def test_views_have_the_shape_of_the_images(shape):
    affine = Affine(degrees=15, shift=2, shape=(12, 10)) if len(shape) == 2 else Affine(degrees=15, shift=2)
    expected = Views(IMAGES, Affine(degrees=15, shift=2)).view(1, slice(None))
    np.testing.assert_array_equal(Views(IMAGES.reshape(shape), affine).view(1, slice(None)).reshape(7, 12, 10), expected)


def test_bounds_of_zero_change_nothing():
    np.testing.assert_allclose(Views(IMAGES, Affine()).view(3, slice(None)), IMAGES, atol=1e-5)


def test_a_shift_moves_pixels_and_fills_with_zeros():
    transformed = Affine(shift=2)(IMAGES[:1], np.array([[0.5, 0.5, 0.5, 0.5, 1.0, 0.5]]))  # two pixels to the left
    np.testing.assert_allclose(transformed[0, :, :-2], IMAGES[0, :, 2:], atol=1e-5)
    np.testing.assert_allclose(transformed[0, :, -2:], 0, atol=1e-5)


def test_a_rotation_by_90_degrees_equals_numpys():
    square = IMAGES[:1, :10, :10]
    transformed = Affine(degrees=90)(square, np.array([[1.0, 0.5, 0.5, 0.5, 0.5, 0.5]]))
    assert min(abs(transformed[0] - np.rot90(square[0], k)).max() for k in (1, 3)) < 1e-5


def test_mirroring_flips_about_half_of_the_images_left_to_right():
    mirror = Affine(mirrored=True)
    unchanged, mirrored = np.full((1, 7), 0.5), np.array([[0.5] * 6 + [0.1]])
    np.testing.assert_allclose(mirror(IMAGES[:1], unchanged), IMAGES[:1], atol=1e-5)
    np.testing.assert_allclose(mirror(IMAGES[:1], mirrored), IMAGES[:1, :, ::-1], atol=1e-5)
    shifted = Affine(shift=2, mirrored=True)(IMAGES[:1], np.array([[0.5] * 4 + [1.0, 0.5, 0.1]]))  # mirrored, then shifted
    np.testing.assert_allclose(shifted[0, :, :-2], IMAGES[0, :, ::-1][:, 2:], atol=1e-5)
    whole = np.repeat(IMAGES[:1], 400, axis=0)
    transformed = Views(whole, mirror).view(1, slice(None))
    mirrored = np.abs(transformed - IMAGES[0, :, ::-1]).max(axis=(1, 2)) < 1e-5
    assert 150 < mirrored.sum() < 250


def test_the_random_numbers_are_uniform_and_uncorrelated():
    numbers = uniforms(np.arange(20_000), 4, seed=0, view=1)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    np.testing.assert_allclose(np.histogram(numbers, bins=10, range=(0, 1))[0] / numbers.size, 0.1, atol=0.005)
    neighbours = np.column_stack([numbers[:-1], numbers[1:], uniforms(np.arange(19_999), 4, seed=0, view=2)])
    correlation = np.corrcoef(neighbours.T) - np.eye(12)
    assert abs(correlation).max() < 0.03


def test_a_custom_augmentation_needs_two_members():
    class Dimmed:
        numbers = 1

        def __call__(self, rows, numbers):
            return rows * numbers[:, :, None].astype(np.float32)

    assert isinstance(Dimmed(), Augmentation)
    transformed = Views(torch.from_numpy(IMAGES), Dimmed()).view(4, slice(None))
    assert (transformed <= IMAGES).all()
    assert len({round(float(value), 6) for value in transformed[:, 0, 0] / IMAGES[:, 0, 0]}) == 7


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Views((IMAGES * 255).astype(np.uint8), FREE), BadInput, "got uint8 .* Scale integers to floats"),
        (lambda: Views(IMAGES, FREE, count=0), BadInput, "count is 0; expected a whole number, from 1"),
        (lambda: Affine(zoom=1.5), BadInput, "zoom is 1.5; .* below 1"),
        (lambda: Affine(degrees=float("nan")), BadInput, "degrees is nan"),
        (lambda: Affine(shape=(7, 7, 3)), BadInput, r"shape is \(7, 7, 3\); expected \(height, width\)"),
        (lambda: Views(IMAGES.reshape(7, 120), FREE).view(1, slice(None)), ShapeError, "or pass shape="),
        (lambda: Views(IMAGES.reshape(7, 120), Affine(shape=(7, 7))).view(1, slice(None)), ShapeError, "not images of 7 x 7"),
    ],
)
def test_invalid_views_and_augmentations_are_rejected(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_images_are_sampled_on_the_grid_of_torchs_affine_grid():
    augment = Affine(degrees=20, zoom=0.2, shear=0.3, shift=2, mirrored=True)
    rows = np.random.default_rng(0).random((5, 2, 6, 9), dtype=np.float32)
    numbers = uniforms(np.arange(5), augment.numbers, seed=0, view=1)
    grid = torch.nn.functional.affine_grid(torch.from_numpy(augment._inverse(numbers, 6, 9)), list(rows.shape), align_corners=False)
    expected = torch.nn.functional.grid_sample(torch.from_numpy(rows), grid, padding_mode="zeros", align_corners=False)
    np.testing.assert_allclose(augment(rows, numbers), expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("shape", [[10, 12], np.array([10, 12]), torch.Size([10, 12]), iter([10, 12])])
def test_the_shape_of_images_comes_in_any_list(shape):
    assert Affine(shape=shape) == Affine(shape=(10, 12))
