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


def test_a_flat_curve_says_how_few_rows_are_enough():
    found = about_rows(curve(0.80, 0.88, 0.88, 0.88), ACCURACY, **MADE)
    assert found.helps is False
    assert found.sentence.endswith("is 80.0 % without them and 88.0 % with all 3,000, and it is 88.0 % with 1,000 of them.")
    assert found.figures["enough"] == 1000


def test_a_curve_that_falls_is_not_called_flat():
    found = about_rows(curve(0.85, 0.90, 0.85, 0.80), ACCURACY, **MADE)
    assert found.helps is False
    assert found.sentence.endswith("is 85.0 % without them and 80.0 % with all 3,000, and it is 90.0 % with 1,000 of them.")
    assert "flat" not in found.sentence


@pytest.mark.parametrize(("value", "metric"), [(1.0, ACCURACY), (0.0, SQUARED)])
def test_rows_do_not_help_where_nothing_is_left_to_gain(value, metric):
    points = [CurvePoint(rows, (value, value, value)) for rows in (0, 500, 1000)]
    found = about_rows(points, metric, **MADE)
    assert found.helps is False
    assert "would not help" in found.sentence
    assert found.sentence.endswith("it does not gain by them.")


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
    assert found.sentence.startswith(f"A larger student {'would' if helps else 'would not'} help: the best larger tree beyond the limits (")
    assert f"has accuracy {100 * (1 - loss):.1f} %" in found.sentence
    assert "the chosen student 80.0 %" in found.sentence


def test_a_chosen_student_beyond_the_limits_is_not_compared_with_itself_or_smaller_ones():
    smaller, chosen, larger = trial(0, 0.1, 4000, over=1.0), trial(1, 0.2, 5000, over=1.5), trial(2, 0.05, 9000, over=3.5)
    assert about_size([chosen], chosen, ACCURACY, rows=500) is None
    assert about_size([smaller, chosen], chosen, ACCURACY, rows=500) is None
    assert "(9.0 kB) has accuracy 95.0 %" in about_size([smaller, chosen, larger], chosen, ACCURACY, rows=500).sentence


def test_a_student_beyond_the_latency_alone_is_called_slower():
    def timed(number, loss, latency, **size):
        return Trial(number, "tree", {}, loss, {}, size.get("size", 900), latency, excess={"latency": latency / 10 - 1})

    chosen, slower = timed(0, 0.2, 8.0), timed(1, 0.1, 20.0, size=800)
    found = about_size([chosen, slower], chosen, ACCURACY, rows=500)
    assert found.sentence.startswith("A slower student would help: the best slower tree beyond the limits (0.8 kB)")
    beyond = timed(2, 0.2, 20.0)
    assert about_size([timed(3, 0.1, 15.0), beyond], beyond, ACCURACY, rows=500) is None  # faster than the chosen one
    untimed = Trial(4, "tree", {}, 0.2, {}, 900, excess={"drop": 0.5})
    assert about_size([slower, untimed], untimed, ACCURACY, rows=500) is None  # which of them is slower is not known


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


@pytest.mark.parametrize(("metric", "best"), [(ACCURACY, 1.0), (SQUARED, 0.0)])
def test_no_teacher_is_better_than_one_without_a_mistake(metric, best):
    comparison = Comparison("answers", "teacher", metric.name, 0.0, (0.0, 0.0), "no difference", "?", "test rows")
    found = about_teacher(comparison, student=best, teacher=best, metric=metric)
    assert found.helps is False
    assert found.sentence.startswith("A better teacher would not help:")


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


def test_nothing_is_said_of_what_was_not_tried():
    not_reached = Advice("better teacher", False, "No.")
    assert nothing_helps([]) == ()
    assert nothing_helps([not_reached]) == (not_reached,)
