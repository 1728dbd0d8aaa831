"""Pages in a real browser: at 420 px nothing is cut off or scrolls sideways, and names that are hostile run no code."""

import pytest

from tutelage.report.distillation.page import render_distillation


@pytest.mark.parametrize("width", [360, 420, 700, 1280])
def test_a_distillation_fits_with_hostile_names(hostile, fits, width):
    fits(render_distillation(*hostile), width)


@pytest.mark.parametrize("kind", ["binary", "values", "twenty classes", "limits not met"])
def test_every_kind_fits_a_narrow_screen(every_kind, fits, kind):
    fits(render_distillation(*every_kind[kind]), 420)
