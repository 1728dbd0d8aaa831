from dataclasses import replace

import pytest

from tutelage.report.distillation.words import answer_of, difference, metric_name

HELP, PLAIN = "Does the teacher help?", "Is it better than a plain model?"


def made(record, **changes):
    """A record with a plain model; `chosen`, and comparisons as (a, b, difference, verdict)."""
    plain = replace(record.arm("labels"), name="plain model", student="logistic", meaning="a logistic model of the ground truth")
    asked = changes.pop("asked")
    one = record.comparisons[0]
    comparisons = [
        replace(one, a=a, b=b, difference=size, ci95=(size - 0.01, size + 0.01), verdict=verdict) for a, b, size, verdict in asked
    ]
    return replace(record, arms=(plain, *record.arms), comparisons=tuple(comparisons), limits={}, **changes)


@pytest.mark.parametrize(
    ("metric", "size", "ends", "verdict", "text"),
    [
        ("accuracy", -0.05, (-0.12, 0.02), "no difference", "-5.0 points (95 %: -12.0 to +2.0)"),
        ("accuracy", 0.0, (-0.02, 0.02), "no difference", "+0.0 points (95 %: -2.0 to +2.0)"),
        ("accuracy", -0.05, (-0.08, -0.0001), "no difference", "-5.00 points (95 %: -8.00 to -0.01)"),
        ("accuracy", -0.05, (-0.08, -0.00003), "worse", "5.000 points (95 %: 0.003 to 8.000)"),
        ("accuracy", 0.0, (0.0, 0.0), "no difference", "+0.0 points (95 %: +0.0 to +0.0)"),
        ("accuracy", -0.05, (-0.08, -0.02), "worse", "5.0 points (95 %: 2.0 to 8.0)"),
        ("mse", -0.5, (-1.25, 0.25), "no difference", "-0.5 (95 %: -1.25 to +0.25)"),
        ("mse", -0.5, (-0.75, -0.25), "beats", "0.5 (95 %: 0.25 to 0.75)"),
    ],
)
def test_a_difference_without_a_verdict_has_its_sign(binary, metric, size, ends, verdict, text):
    assert difference(replace(binary.comparisons[0], metric=metric, difference=size, ci95=ends, verdict=verdict)) == text


def test_a_gain_is_shipped(binary):
    answer = answer_of(made(binary, asked=[("answers", "labels", 0.03, "beats"), ("answers", "plain model", 0.03, "beats")]))
    assert answer.startswith(
        "Ship the tree that learnt the meaning of answers: accuracy 89.3 % on the test rows (mean of 2 seeds; the file, of the first seed: "
        "88.3 %, 4.0 kB). It pays to distil: the student of the meaning of answers beats the tree that was tuned on the ground truth alone"
    )
    assert "It pays" not in answer_of(replace(binary, comparisons=(replace(binary.comparisons[0], verdict="no difference"),)))


def test_it_does_not_pay_to_distil_where_a_plain_model_may_be_as_good(binary):
    asked = [("answers", "labels", 0.03, "beats"), ("answers", "plain model", 0.005, "no difference")]
    answer = answer_of(made(binary, asked=asked))
    assert "It pays to distil" not in answer
    assert "The student of the meaning of answers beats the tree that was tuned on the ground truth alone by 3.0 points" in answer
    assert (
        "Against the plain logistic model of the ground truth the chosen student shows no difference: +0.5 points (95 %: -0.5 to +1.5)"
        in answer
    )


@pytest.mark.parametrize(
    ("chosen", "pair"), [("answers", ("answers", "labels")), ("answers", ("answers", "teacher")), ("labels", ("answers", "labels"))]
)
def test_no_difference_of_an_interval_without_zero_has_its_reason(binary, chosen, pair):
    one = replace(binary.comparisons[0], a=pair[0], b=pair[1], difference=-0.047, ci95=(-0.077, -0.0003), verdict="no difference")
    record = replace(binary, chosen=chosen, comparisons=(replace(one, corrected_p=0.12),), limits={})
    assert "-4.70 points (95 %: -7.70 to -0.03), not proven after correction for 1 question (p = 0.12)" in answer_of(record)
    looks = (*record.looks, replace(record.looks[0], seeds=5))
    assert "not proven after correction for 1 question and 2 looks (p = 0.12)" in answer_of(replace(record, looks=looks))
    assert answer_of(record).count("too few to say how large a difference would have been found.") == 1  # two seeds
    verdict = replace(one, ci95=(-0.077, -0.017), corrected_p=0.01, verdict="worse")
    assert "not proven" not in answer_of(replace(record, comparisons=(verdict,)))


def test_what_would_have_gone_unnoticed_is_said_from_three_seeds_on(binary):
    arms = tuple(replace(one, seeds=(0, 1, 2)) for one in binary.arms)
    one = replace(binary.comparisons[2], corrected_p=0.4, detectable=0.0002)
    answer = answer_of(replace(binary, arms=arms, comparisons=(one,)))
    assert "-0.9 points (95 %: -2.0 to +0.2); one below 0.02 points would mostly go unnoticed." in answer


def test_a_teacher_that_is_smaller_or_faster_is_in_the_answer(binary):
    asked = [("answers", "labels", 0.03, "beats")]
    assert "The teacher itself" not in answer_of(made(binary, asked=asked))
    chosen, teacher = binary.arm("answers"), binary.arm("teacher")

    def answer(**changes):
        small = replace(teacher, **changes)
        return answer_of(made(replace(binary, arms=(*(arm for arm in binary.arms if arm.name != "teacher"), small)), asked=asked))

    assert answer(size_bytes=3000, latency=replace(chosen.latency, p50_us=11.0)).endswith(
        "The teacher itself is smaller (3 kB against 4 kB) and faster (11 µs a row against 44 µs)."
    )
    assert "The teacher itself" not in answer(size_bytes=chosen.size_bytes, latency=chosen.latency)


def test_a_student_that_is_worse_than_those_without_the_teacher_is_not_shipped(binary):
    answer = answer_of(made(binary, asked=[("answers", "labels", -0.03, "worse")]))
    assert answer.startswith("Do not distil. Validation chose the tree")
    assert "The student of the meaning of answers is worse than the tree that was tuned on the ground truth alone by 3.0 points" in answer
    assert "Ship" not in answer


def test_a_plain_model_that_is_better_is_in_the_answer(binary):
    answer = answer_of(made(binary, asked=[("answers", "labels", 0.03, "beats"), ("answers", "plain model", -0.2, "worse")]))
    assert answer.startswith("Do not distil.")
    assert "The plain logistic model of the ground truth is better than the chosen student by 20.0 points" in answer
    assert "It pays to distil" not in answer


@pytest.mark.parametrize(
    ("chosen", "name"), [("labels", "the tree that learnt the meaning of labels"), ("plain model", "the plain logistic model")]
)
def test_a_student_without_the_teacher_is_shipped_unless_the_test_shows_otherwise(binary, chosen, name):
    asked = [("answers", chosen, -0.01, "no difference"), (chosen, "teacher", -0.03, "worse")]
    answer = answer_of(made(binary, chosen=chosen, asked=asked))
    assert answer.startswith(f"Do not distil; ship {name}")
    assert "shows no difference from it: -1.0 points" in answer
    beaten = answer_of(made(binary, chosen=chosen, reason="it is smaller than 'answers'", asked=[("answers", chosen, 0.03, "beats")]))
    assert beaten.startswith(f"Validation chose {name}")
    assert "beats it by 3.0 points (95 %: 2.0 to 4.0); it was chosen because it is smaller than 'answers'." in beaten
    assert "hip" not in beaten


def test_nothing_is_shipped_that_exceeds_a_limit(every_kind):
    answer = answer_of(every_kind["limits not met"][0])
    assert answer.startswith("No student meets the limits: the nearest, the tree")
    assert "exceeds that of the size of the exported file (7.5 kB, 5 kB allowed). It has accuracy 89.3 %" in answer
    assert "Ship" not in answer


def test_a_plain_model_that_meets_the_limits_is_named(every_kind):
    record = every_kind["limits not met"][0]
    plain = replace(record.arm("labels"), name="plain model", student="logistic", excess={"size": -0.5})
    assert "The plain logistic model of the ground truth meets them." in answer_of(replace(record, arms=(*record.arms, plain)))
    over = replace(plain, excess={"size": 0.5})
    assert "meets them" not in answer_of(replace(record, arms=(*record.arms, over)))


@pytest.mark.parametrize(
    ("metric", "against", "name"),
    [
        ("mse", "truth", "squared error"),
        ("mse", "teacher", "squared error against the teacher"),
        ("brier", "teacher", "Brier score against the teacher"),
        ("agreement", "teacher", "agreement with the teacher"),
        ("kl_nats", "teacher", "KL divergence from the teacher"),
    ],
)
def test_a_figure_without_ground_truth_is_one_against_the_teacher(binary, metric, against, name):
    assert metric_name(replace(binary, metric=metric, against=against)) == name
    assert metric_name(replace(binary, metric=metric, against=against, rows={"weighted": True})) == f"weighted {name}"


@pytest.mark.parametrize("severity", ["warning", "ok"])
def test_why_validation_chose_a_student_that_is_worse(binary, severity):
    own_rows = {"check": "own-rows", "severity": severity, "sentence": "its confidence is higher on transfer rows.", "remedy": ""}
    worse = made(binary, asked=[("answers", "labels", -0.1, "worse")], findings={"findings": (own_rows,)})
    assert ("Choose on rows that it has not seen (--validation)" in answer_of(worse)) == (severity == "warning")
    own = replace(worse, rows={**worse.rows, "own_validation": True})
    assert "they differ from the test rows, or" in answer_of(own)
    of_own = {**own_rows, "check": "validation-own-rows"}
    assert ("Choose on rows" in answer_of(replace(own, findings={"findings": (of_own,)}))) == (severity == "warning")
    assert "The validation rows had said the opposite (89.4 % against 87.2 %): " in answer_of(worse)
    arms = tuple(replace(arm, validation={"accuracy": (0.8,)}) if arm.name == "answers" else arm for arm in worse.arms)
    for other in (replace(worse, arms=arms), made(binary, asked=[("answers", "labels", -0.1, "no difference")])):
        assert "said the opposite" not in answer_of(other)


def test_lower_losses_are_the_better_ones_on_validation(binary):
    arms = tuple(
        replace(arm, test={"brier": (0.2,)}, validation={"brier": (0.1 if arm.name == "answers" else 0.2,)}) for arm in binary.arms
    )
    worse = replace(binary, metric="brier", arms=arms, comparisons=(replace(binary.comparisons[0], metric="brier", verdict="worse"),))
    assert "said the opposite (0.1 against 0.2)" in answer_of(worse)
