import pytest

from tutelage.core.records import Comparison
from tutelage.search.advice import Advice, CurvePoint, Metric, about_limits, about_rows, about_size, about_teacher, nothing_helps
from tutelage.search.study import Trial

MADE = {"rows": "made rows", "arm": "answers, more rows"}
ACCURACY, SQUARED = Metric("accuracy", higher=True), Metric("mse", higher=False)


def curve(*means, spread=0.01):
    return [CurvePoint(1000 * place, (mean - spread, mean + spread, mean)) for place, mean in enumerate(means)]


def test_a_rising_curve_asks_for_more_rows():
    found = about_rows(curve(0.80, 0.85, 0.88), ACCURACY, **MADE)
    assert found.helps
    assert "80.0 % without them and 88.0 % with all 2,000, and the last 1,000 still changed it from 85.0 %" in found.sentence


def test_a_flat_curve_says_from_where():
    found = about_rows(curve(0.80, 0.88, 0.88, 0.88), ACCURACY, **MADE)
    assert not found.helps
    assert "is flat from 1,000 on" in found.sentence
    assert found.figures["flat from"] == 1000


@pytest.mark.parametrize("means", [(0.88, 0.88, 0.88), (0.88, 0.80, 0.70)])
def test_rows_that_bring_nothing_are_called_so(means):
    found = about_rows(curve(*means), ACCURACY, **MADE)
    assert not found.helps
    assert "does not gain by them" in found.sentence


def test_a_gain_that_the_seeds_cannot_tell_is_not_known():
    points = [CurvePoint(0, (0.80, 0.84, 0.79)), CurvePoint(375, (0.93, 0.79, 0.833))]
    found = about_rows(points, ACCURACY, **MADE)
    assert found.helps is None
    assert found.sentence.startswith("Whether more made rows would help is not known: on validation rows the accuracy")
    assert "is 81.0 % without them and 85.1 % with all 375, and the seeds differ as much." in found.sentence


def test_lower_squared_errors_are_better():
    assert about_rows(curve(3.0, 2.0, 1.0), SQUARED, **MADE).helps
    assert "3 without them and 1 with all" in about_rows(curve(3.0, 2.0, 1.0), SQUARED, **MADE).sentence


def test_a_curve_of_one_point_says_nothing():
    assert about_rows(curve(0.8), ACCURACY, **MADE) is None


def trial(number, loss, size, over=0.0):
    return Trial(number, "tree", {}, loss, {}, size, excess={"size": over})


@pytest.mark.parametrize(("loss", "helps"), [(0.10, True), (0.195, False)])
def test_a_larger_student_helps_if_it_is_better_than_noise(loss, helps):
    found = about_size([trial(0, 0.2, 900), trial(1, loss, 5000, over=4.0)], trial(0, 0.2, 900), ACCURACY, rows=500)
    assert found.helps == helps
    assert f"(5.0 kB) has accuracy {100 * (1 - loss):.1f} %" in found.sentence
    assert "the chosen student 80.0 %" in found.sentence


def test_without_students_beyond_the_limits_nothing_is_said_of_larger_ones():
    assert about_size([trial(0, 0.2, 900, over=-0.5)], trial(0, 0.2, 900), ACCURACY, rows=500) is None


def test_more_rows_are_named_and_must_gain_a_noticeable_share():
    found = about_rows(curve(0.80, 0.8501, 0.8502), ACCURACY, **MADE)
    assert found.helps is False
    assert found.sentence.startswith(
        "More made rows would not help: on validation rows the accuracy of the arm 'answers, more rows' is 80.0 %"
    )
    assert found.sentence.endswith("the last 1,000 changed it only from 85.0 %.")


@pytest.mark.parametrize(
    ("verdict", "ends", "helps"),
    [
        ("no difference", (-0.001, 0.002), True),
        ("no difference", (-0.1, 0.1), None),
        ("beats", (0.01, 0.1), True),
        ("worse", (-0.1, -0.01), False),
    ],
)
def test_a_better_teacher_helps_where_the_student_is_shown_to_have_reached_its_own(verdict, ends, helps):
    comparison = Comparison("answers", "teacher", "accuracy", 0.0, ends, verdict, "?", "seeds and test rows")
    found = about_teacher(comparison, student=0.9, teacher=0.91, metric=ACCURACY)
    assert found.helps is helps
    assert "90.0 % on the test rows, the teacher 91.0 %" in found.sentence
    assert about_teacher(comparison, student=0.9, teacher=0.91, metric=ACCURACY, taught=False).helps is None


def test_squared_errors_are_as_good_by_their_upper_end():
    ends = {"near": (-3.0, 0.01), "far": (-0.01, 3.0)}
    found = {name: Comparison("answers", "teacher", "mse", 0.0, one, "no difference", "?", "test rows") for name, one in ends.items()}
    assert about_teacher(found["near"], student=1.0, teacher=1.0, metric=SQUARED).helps
    assert about_teacher(found["far"], student=1.0, teacher=1.0, metric=SQUARED).helps is None


def test_the_nearest_student_is_measured_against_each_limit_it_exceeds():
    limits = {"size": 1000.0, "latency": 5.0, "drop": 1.0}
    found = about_limits({"size": 0.5, "latency": 2.0, "drop": -0.1}, {"size": 1500, "latency": None, "drop": 0.9}, limits)
    assert found.sentence == (
        "No student meets the limits; the nearest exceeds that of the latency (it could not be measured) "
        "and of the size (1,500 bytes against 1,000)."
    )
    assert about_limits({"size": -0.5}, {"size": 500}, limits) is None


def test_nothing_helps_is_said_only_where_nothing_does():
    no, yes = Advice("more rows", False, "No."), Advice("better teacher", True, "Yes.")
    assert nothing_helps([no, yes]) == (no, yes)
    unknown = Advice("better teacher", None, "?")
    assert nothing_helps([no, unknown]) == (no, unknown)
    assert nothing_helps([no])[-1].about == "nothing"
