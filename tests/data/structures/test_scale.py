import numpy as np
import pytest

from tutelage.data.structures.scale import Scale

PIXELS = np.array([[[0, 128], [255, 3]]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("rows", "others", "differs"),
    [
        (PIXELS / 255, PIXELS, True),
        (PIXELS / 255, PIXELS.astype(float), True),
        (PIXELS, PIXELS / 255, True),
        (PIXELS / 255, PIXELS / 200, False),  # brighter ones
        (PIXELS, PIXELS.astype(float), False),
        (PIXELS / 255, np.zeros((1, 2, 2)), False),
        (PIXELS - 128.5, PIXELS - 100.5, False),
    ],
)
def test_another_scale_is_one_that_type_or_values_prove(rows, others, differs):
    assert (Scale.of(rows).difference(others) is not None) == differs


def test_gaps_and_no_rows_have_no_scale_of_their_own():
    assert Scale.of(np.array([[[np.nan, 0.5]]])) == Scale(fractions=True, largest=0.5)
    gaps = np.full((2, 2, 2), np.nan)
    assert Scale.of(gaps) == Scale(fractions=False, largest=0.0)
    assert Scale(fractions=True, largest=0.5).difference(gaps) is None
    assert Scale.of(np.empty((0, 2, 2))) == Scale(fractions=False, largest=0.0)
    assert not Scale(fractions=1, largest=0.5).sound  # as a changed file may hold
