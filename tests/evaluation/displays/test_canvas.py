import sys

import matplotlib.pyplot as plt
import pytest

from tutelage.core.errors import MissingExtra
from tutelage.evaluation.displays.canvas import canvas, draw_diagonal


def test_the_callers_axes_are_used_and_no_others_created():
    figure, own = plt.subplots()
    ax, on = canvas(own, width=1, height=1)
    assert ax is own
    assert on is figure
    assert len(plt.get_fignums()) == 1


def test_new_axes_have_the_requested_size():
    ax, figure = canvas(None, width=3, height=2)
    assert tuple(figure.get_size_inches()) == (3, 2)
    assert not ax.spines["top"].get_visible()


def test_the_diagonal_is_behind_points_or_above_hexagons():
    ax, _ = canvas(None, width=3, height=2)
    draw_diagonal(ax, 0, 1)
    draw_diagonal(ax, 0, 1, above=True)
    behind, above = ax.lines
    assert behind.get_zorder() < 1 < above.get_zorder()


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"tutelage\[report\]"):
        canvas(None, width=1, height=1)
