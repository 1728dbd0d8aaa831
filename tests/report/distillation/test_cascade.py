import re
from dataclasses import replace

import pytest

from tutelage.core.quantities import percent
from tutelage.core.records import Interval
from tutelage.report.distillation.card import model_card
from tutelage.report.distillation.cascade import cascade_chart, cascade_of
from tutelage.report.distillation.page import render_distillation
from tutelage.report.distillation.records import DistillationRecord, Rate
from tutelage.report.distillation.words import answer_of, bounds


@pytest.fixture
def cascade(every_kind):
    return every_kind["cascade"][0]


@pytest.fixture
def refused(every_kind):
    return every_kind["cascade not attained"][0]


def test_the_section_says_what_is_guaranteed_and_what_the_test_rows_say(cascade):
    view = cascade_of(cascade)
    assert "With probability 95 %, at least 99 % of all answers are then the teacher's, proven on 480 calibration rows" in view.guarantee
    assert "(291 answered by the student, 1 of them otherwise than by the teacher)" in view.guarantee
    assert view.found.startswith("On the 600 test rows the student (first seed) answers 61 % (59.0 to 62.0), and 99.17 %")
    assert view.found.endswith("A row takes about 60.9 ms on average, predicted.")
    assert [(cells[0], asked) for cells, asked in view.targets] == [("90 %", False), ("95 %", False), ("99 %", True)]
    assert view.targets[-1][0] == ("99 %", "0.695", "61 %", "99.17 %", "98.64 %", "60.9 ms")
    assert view.bill == [
        ("the student alone", ("44 µs", "89.3 % (87.3 to 90.3)")),
        ("the teacher alone", ("156 ms", "90.2 % (88.2 to 91.2)")),
        ("both together", ("about 60.9 ms, predicted", "90 % (88.0 to 91.0)")),
    ]


def test_a_rate_that_is_not_attained_is_said_with_how_far(refused):
    view = cascade_of(refused)
    assert view.guarantee == (
        "The student may answer no row on its own at 99 %, with probability 95 %: at 95 % it would answer 81 % of the test rows. The files "
        "of the student have no threshold."
    )
    assert view.found == ""
    assert view.targets[-1][0] == ("99 %", "none", "0 %", "100 %", "-", "156 ms")
    assert "The student may answer no row on its own at 99 %: at 95 % it would answer 81 % of the test rows." in refused.answer
    alone = replace(refused.cascade, targets=refused.cascade.targets[-1:])
    assert "its most confident answers are not the teacher's often enough" in cascade_of(replace(refused, cascade=alone)).guarantee


def test_the_answer_holds_a_sentence_about_it(cascade, binary):
    assert cascade.answer == (
        f"{binary.answer} With the teacher for the rows that it is unsure of, the student answers 61 % of the test rows itself, and 99.17 %"
        " of all answers are the teacher's (95 %: 97.2 to 100.0); 99 % are guaranteed with probability 95 %."
    )


def test_the_chart_marks_the_teacher_the_target_and_the_threshold(cascade, refused):
    for record, marks in ((cascade, 1), (refused, 0)):
        chart = cascade_chart(record).split('<div class="for-narrow">')[0]
        assert len(re.findall('class="mark chosen"', chart)) == marks
        assert 'class="mark teacher"' in chart
        assert "99 % asked for" in chart
        assert 'class="curve chosen"' in chart
    assert "<title>threshold 0.695: 61 % by the student, 99.17 % agree</title>" in cascade_chart(cascade)


def test_a_student_that_may_answer_everything_has_no_teacher_to_ask(cascade):
    everything = {**cascade.cascade.guarantee, "threshold": 0.0}
    view = cascade_of(replace(cascade, cascade=replace(cascade.cascade, guarantee=everything)))
    assert view.guarantee.startswith("The student answers every row, and leaves none to the teacher. With probability 95 %")


def test_a_student_alone_has_no_section(binary, figures):
    assert cascade_of(binary) is None
    assert cascade_chart(binary) == ""
    assert 'id="cascade"' not in render_distillation(binary, figures)


def test_page_and_card_have_the_section(cascade, figures):
    page = render_distillation(cascade, figures)
    assert "Fall back to the teacher" in page
    assert cascade_of(cascade).guarantee.replace("'", "&#39;") in page
    assert "## Fall back to the teacher" in model_card(cascade, figures)


def test_the_record_is_read_as_it_was_written(cascade, refused):
    for record in (cascade, refused):
        assert DistillationRecord.from_json(record.to_json()).cascade == record.cascade


def test_a_rate_over_groups_is_said_wherever_a_rate_is_promised(cascade, figures):
    grouped = replace(cascade, cascade=replace(cascade.cascade, over_groups=True))
    said = cascade_of(grouped).guarantee
    assert "proven on 480 calibration rows, one of each group, that trained and chose nothing" in said
    assert "It is a rate over groups, in which each counts once, not over rows. It holds for groups like those" in said
    assert "99 % are guaranteed, as a rate over groups, with probability 95 %." in answer_of(grouped)
    assert "rate over groups" in model_card(grouped, figures)
    assert "The guaranteed rates are over groups" in render_distillation(grouped, figures)
    assert "groups" not in cascade_of(cascade).guarantee + cascade.answer


def test_test_rows_that_lie_below_the_rate_are_named(cascade):
    low = Rate(0.95, Interval(0.93, 0.9899, "test rows"))
    short = replace(cascade, cascade=replace(cascade.cascade, agreement=low))
    for said in (answer_of(short), cascade_of(short).found):
        assert "The whole interval on the test rows lies below the rate of 99 %: they may differ from those of calibration." in said
        assert "(95 %: 93.0 to 98.99)" in said or "95 % (93.0 to 98.99)" in said
    grouped = replace(short, cascade=replace(short.cascade, over_groups=True))
    assert "the guarantee is one over groups, and this is a share of rows" in answer_of(grouped)
    reached = replace(low, interval=replace(low.interval, high=0.99))
    assert "whole interval" not in answer_of(replace(cascade, cascade=replace(cascade.cascade, agreement=reached)))


@pytest.mark.parametrize(("share", "text"), [(0.0, "0 %"), (0.8312, "83.1 %"), (0.99, "99 %"), (0.99951, "99.95 %"), (1.0, "100 %")])
def test_shares_close_to_all_have_a_digit_more(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.99996, "99.996 %"), (1 - 1e-8, "99.999999 %"), (0.0004, "0.04 %"), (1e-7, "0.00001 %"), (0.5004, "50 %")]
)
def test_no_share_below_all_is_shown_as_all_and_none_above_nothing_as_nothing(share, text):
    assert percent(share) == text


def test_neither_is_an_end_of_an_interval():
    assert bounds(Interval(0.0, 1.0, "rows")) == "0.0 to 100.0"
    assert bounds(Interval(0.0002, 0.99999, "rows")) == "0.02 to 99.999"
    assert bounds(Interval(0.912, 0.9951, "rows")) == "91.2 to 99.51"
