"""Pages in a real browser: nothing is cut off or scrolls sideways, and names that are hostile run no code."""

import pytest

from tutelage.report.distillation.page import render_distillation


@pytest.mark.exhaustive
def test_every_kind_fits_narrow_and_wide_screens_with_hostile_names_too(every_kind, hostile, fit):
    narrow = [(render_distillation(*every_kind[kind]), 420) for kind in ("binary", "values", "twenty classes", "limits not met", "cascade")]
    page = render_distillation(*hostile)
    fit([*narrow, *((page, width) for width in (360, 420, 700, 1280))])
