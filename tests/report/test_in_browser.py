"""The page of an experiment in a real browser."""

import pytest

from tutelage.report.page import render_page


@pytest.mark.parametrize("width", [360, 420, 1280])
def test_an_experiment_fits(record, figures, fits, width):
    fits(render_page(record, figures), width)
