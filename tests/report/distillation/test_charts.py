import re
from dataclasses import replace

import pytest

from tutelage.core.records import Latency
from tutelage.report.distillation.charts import arms_chart, cost_chart, curve_chart, kind_of, reliability_chart, trials_chart


def wide(chart):
    return chart.split('<div class="for-narrow">')[0]


def texts(chart):
    return re.findall(r">([^<>]+)</t", chart)


def test_the_chosen_arm_the_teacher_baselines_and_controls_have_marks_of_their_own(binary):
    assert [kind_of(binary, arm) for arm in binary.arms] == ["baseline", "student", "chosen", "control", "teacher"]
    for kind in ("baseline", "student", "chosen", "control", "teacher"):
        assert f"mark {kind}" in arms_chart(binary)


def test_every_arm_with_a_latency_is_drawn_with_its_figures(binary):
    chart = wide(cost_chart(binary))
    for title in ("answers: 89.3 %, 44 µs, 4 kB", "labels: 87.1 %, 45 µs, 2.5 kB", "teacher: 90.2 %, 156 ms, 14.5 MB"):
        assert f"<title>{title}</title>" in chart
    assert "untuned" not in chart  # no latency
    assert {"answers", "labels", "decisions", "teacher", "limit 55 µs", "largest drop, 2 points"} <= set(texts(chart))


def test_the_area_of_a_mark_is_the_size_of_the_file(binary):
    radius = {
        name: float(re.search(rf'r="([\d.]+)" class="mark [a-z]+ area"><title>{name}:', wide(cost_chart(binary)))[1])
        for name in ("answers", "decisions")
    }
    assert radius["decisions"] ** 2 / radius["answers"] ** 2 == pytest.approx(3100 / 4000, rel=0.02)


def test_the_front_joins_the_students_that_no_other_beats(binary):
    marks = dict(re.findall(r'cx="([\d.]+)" cy="[\d.]+" r="[\d.]+" class="mark [a-z]+ area"><title>(\w+):', wide(cost_chart(binary))))
    front = re.search(r'<polyline points="([^"]+)" class="front"', wide(cost_chart(binary)))[1]
    places = [pair.split(",")[0] for pair in front.split()]
    by_name = {name: place for place, name in marks.items()}
    assert places[0] == by_name["decisions"]  # the fastest
    assert places[-1] == by_name["answers"]  # the best


def test_the_limit_of_the_drop_is_as_far_below_the_teacher_on_its_scale(every_kind):
    record, _ = every_kind["values"]
    assert "largest drop, 2 %" in cost_chart(record)
    assert "largest drop" not in cost_chart(replace(record, metric="mse", limits={}))
    assert "largest drop" not in cost_chart(replace(record, against="teacher"))  # a share of a variance that is not known there


def test_names_do_not_lie_on_each_other(binary):
    same = Latency(40.0, 80.0, None, 500, 1)
    record = replace(binary, arms=tuple(replace(arm, latency=same, test={"accuracy": (0.9,)}) for arm in binary.arms))
    for chart in cost_chart(record).split('<div class="for-narrow">'):
        names = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="start" class="name', chart)
        heights = [(float(x), float(y)) for x, y in names]
        assert len(heights) == len(binary.arms)
        for place, (x, y) in enumerate(heights):
            assert all(abs(y - other) >= 12 or abs(x - left) >= 40 for left, other in heights[:place])


def test_without_latencies_or_trials_there_is_no_chart(every_kind):
    record, _ = every_kind["nothing measured"]
    assert cost_chart(record) == ""
    assert trials_chart(record) == ""
    assert arms_chart(record)


def test_trials_are_drawn_by_arm_with_the_limit(binary):
    chart = wide(trials_chart(binary))
    assert "<title>answers, tree: 88.8 %, 3.9 kB</title>" in chart
    assert "mark baseline" in chart
    assert "limit 5 kB" in chart


def test_the_transfer_curve_has_every_point_and_seed(binary):
    chart = wide(curve_chart(binary))
    for title in ("0 rows: 87.3 %", "4,800 rows: 89.0 %", "9,600 rows: 89.4 %"):
        assert f"<title>{title}</title>" in chart
    assert chart.count('class="seed"') == 6
    assert curve_chart(replace(binary, curve=())) == ""


def test_reliability_is_drawn_in_per_cent_or_values(figures, every_kind):
    assert "answers: 50 at 55, 120 rows" in reliability_chart(figures, values=False)
    assert "answers: 8 at 9, 300 rows" in reliability_chart(every_kind["values"][1], values=True)
    assert reliability_chart(every_kind["no truth"][1], values=False) == ""
