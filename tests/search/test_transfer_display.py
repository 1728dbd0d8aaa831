import matplotlib as mpl
import pytest

from tutelage.core.records import Interval
from tutelage.search.transfer_display import TransferCurve, TransferCurveDisplay, TransferPoint

mpl.use("agg")


def _point(rows, kl, agreement):
    over = "seeds and validation rows"
    intervals = {"kl_nats": Interval(kl - 0.1, kl + 0.2, over), "agreement": Interval(agreement - 0.01, agreement + 0.02, over)}
    return TransferPoint(rows, {"kl_nats": kl, "agreement": agreement}, intervals)


CURVE = TransferCurve(
    (_point(0, 0.9, 0.8), _point(1000, 0.5, 0.9), _point(2000, 0.45, 0.91)), "kl_nats", 1000, "flat", "Munge()", 500, 300, (0, 1)
)


@pytest.fixture
def figure():
    from matplotlib import pyplot

    figure = pyplot.figure()
    yield figure
    pyplot.close("all")


def test_points_intervals_and_the_chosen_number_are_plotted_at_their_values(figure):
    display = TransferCurveDisplay(CURVE).plot(ax=figure.subplots())
    line, _, (bars,) = display.errorbar_
    assert line.get_ydata().tolist() == [0.9, 0.5, 0.45]
    ends = [segment[:, 1].round(3).tolist() for segment in bars.get_segments()]
    assert ends == [[0.8, 1.1], [0.4, 0.7], [0.35, 0.65]]
    assert display.chosen_.get_xydata().tolist() == [[1, 0.5]]
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["0", "1,000", "2,000"]
    assert "nats" in display.ax_.get_ylabel()
    assert {text.get_text() for text in display.ax_.get_legend().get_texts()} == {"Munge()", "chosen by kl_nats: 1,000 rows"}
    assert display.figure_ is figure


def test_another_measure_can_be_plotted_and_a_figure_is_created_by_default(figure):
    display = TransferCurveDisplay.from_curve(CURVE, measure="agreement")
    assert display.errorbar_[0].get_ydata().tolist() == [0.8, 0.9, 0.91]
    assert "agreement" in display.ax_.get_ylabel()
    assert CURVE.plot().figure_ is not figure
