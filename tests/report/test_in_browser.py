"""The page of an experiment in a real browser."""

import pytest

from tutelage.report.page import render_page


@pytest.mark.exhaustive
def test_an_experiment_fits_narrow_and_wide_screens(record, figures, fit):
    page = render_page(record, figures)
    fit([(page, 360), (page, 420), (page, 1280)])
