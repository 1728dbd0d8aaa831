import re

import pytest

from tutelage.report.charts import Bar, curves_chart, intervals_chart, labels_chart, regions_chart, scatter_chart
from tutelage.report.svg import WIDE

BARS = [Bar("first", "chosen", (90.0, 92.0), (89.0, 93.0)), Bar("second", "teacher", (95.0,), None)]


def texts(chart):
    return re.findall(r">([^<>]+)</text>", chart)


def chart_of(bars):
    return intervals_chart(bars, axis="accuracy, %", text=lambda value: f"{value:.1f} %", label="Accuracy of the arms")


def test_intervals_show_name_mean_seeds_and_interval_of_every_arm():
    chart = chart_of(BARS)
    assert {"first", "91.0 %", "second", "95.0 %", "first: 91.0 %", "accuracy, %"} <= set(texts(chart))
    assert chart.count('class="seed chosen"') == 4  # two seeds, two widths
    assert chart.count('class="span chosen"') == 2
    assert "span teacher" not in chart
    assert chart.count("mark teacher") == 2
    assert chart.count('aria-label="Accuracy of the arms"') == 2


def test_a_mean_lies_on_its_own_line_within_its_interval():
    wide = chart_of(BARS).split("for-narrow")[0]
    low, high = (float(x) for x in re.search(r'points="([\d.]+),[\d.]+ ([\d.]+),[\d.]+" class="span chosen"', wide).groups())
    mean = float(re.search(r'cx="([\d.]+)" cy="[\d.]+" r="5" class="mark chosen"', wide)[1])
    assert low < mean < high <= WIDE


def test_long_names_are_cut_and_equal_values_do_not_fail():
    chart = chart_of([Bar("n" * 200, "student", (1.0, 1.0), (1.0, 1.0))])
    assert "n" * 40 not in "".join(texts(chart))


def test_regions_have_a_picture_for_each_panel_and_points_by_class(figures):
    chart = regions_chart(figures.regions[0])
    assert chart.count("data:image/png;base64,") == 2
    assert chart.count('class="point class1"') == 2
    assert "tree" in texts(chart)


def test_scatters_show_every_panel(figures):
    chart = scatter_chart(figures.scatters[0])
    assert {"tree", "line", "third", "measured", "predicted"} <= set(texts(chart))
    assert chart.count('class="dot"') == 8


def test_many_points_are_thinned(figures):
    pairs = tuple((float(i), float(i)) for i in range(3000))
    chart = scatter_chart(type(figures.scatters[0])("Many", "", {"tree": pairs}))
    assert 500 < chart.count('class="dot"') <= 800


def test_curves_have_marks_by_kind_and_rows():
    curves = {"student": ("chosen", [(60.0, 55.0, 10), (90.0, 91.0, 40)]), "teacher": ("teacher", [(80.0, 82.0, 50)])}
    chart = curves_chart(curves, x_name="confidence, %", y_name="right, %", unit=True)
    radii = sorted({float(r) for r in re.findall(r'r="([\d.]+)" class="mark chosen"', chart)})
    assert radii == pytest.approx([2.5 + 5 * 0.2**0.5, 2.5 + 5 * 0.8**0.5], abs=0.06)
    assert "student: 55 at 60, 10 rows" in chart
    assert {"60", "100", "confidence, %", "right, %"} <= set(texts(chart))


def test_few_labels_are_drawn_beside_arms_that_need_none():
    alone = [(300, Bar("hard-300", "baseline", (80.0, 82.0), (78.0, 84.0))), (10_000, Bar("hard-10000", "baseline", (90.0,), None))]
    chart = labels_chart(alone, [Bar("soft", "chosen", (94.0,), None), Bar("argmax", "control", (94.01,), None)], y_name="accuracy, %")
    assert {"soft: 94", "argmax: 94.01", "labels", "1,000"} <= set(texts(chart))
    assert "<title>hard-300: 81</title>" in chart
    assert "<title>hard-10000: 90</title>" in chart
    wide = chart.split("for-narrow")[0]
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" text-anchor="start" class="tick">(?:soft|argmax)', wide)]
    assert abs(heights[0] - heights[1]) >= 14
