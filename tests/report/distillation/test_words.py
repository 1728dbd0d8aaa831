from dataclasses import replace

import pytest

from tutelage.report.distillation.words import answer_of, difference

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
        "Ship the tree that learnt the meaning of answers: accuracy 89.3 % on the test rows, 4.0 kB. It pays to distil:"
    )


def test_a_teacher_that_is_smaller_or_faster_is_in_the_answer(binary):
    asked = [("answers", "labels", 0.03, "beats")]
    assert "The teacher itself" not in answer_of(made(binary, asked=asked))
    small = replace(binary.arm("teacher"), size_bytes=3000, latency=binary.arm("answers").latency)
    one = replace(binary, arms=(*(arm for arm in binary.arms if arm.name != "teacher"), small))
    latency = f"{small.latency.p50_us:.3g} µs"
    assert answer_of(made(one, asked=asked)).endswith(
        f"The teacher itself is smaller (3 kB against 4 kB) and faster ({latency} a row against {latency})."
    )


def test_a_student_that_is_worse_than_those_without_the_teacher_is_not_shipped(binary):
    answer = answer_of(made(binary, asked=[("answers", "labels", -0.03, "worse")]))
    assert answer.startswith("Do not distil. Validation chose the tree")
    assert "The student of the meaning of answers is worse than the best student of the ground truth alone by 3.0 points" in answer
    assert "Ship" not in answer


def test_a_plain_model_that_is_better_is_in_the_answer(binary):
    answer = answer_of(made(binary, asked=[("answers", "labels", 0.03, "beats"), ("answers", "plain model", -0.2, "worse")]))
    assert answer.startswith("Do not distil.")
    assert "The plain logistic model of the ground truth is better than it by 20.0 points" in answer
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
