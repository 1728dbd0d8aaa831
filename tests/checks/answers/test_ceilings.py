import numpy as np
import pyarrow as pa
import pytest
from chat_endpoint import asker, completion, serving
from sound_teachers import CustomTeacher

from tutelage.checks.answers.ceilings import check_votes, own_agreement
from tutelage.checks.preflight import preflight
from tutelage.checks.sampling import Sample, query_sample
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax
from tutelage.softlabels.logs import read_answers

DRAW = np.random.default_rng(0)
P = softmax(1.5 * DRAW.normal(size=(4000, 3)))
FORM = AnswerForm("probabilities", "multiclass", ("a", "b", "c"))


def answers(p, draw):
    """One decision a row, drawn from its probabilities."""
    return np.eye(p.shape[1])[(p.cumsum(axis=1) < draw.random((len(p), 1))).sum(axis=1).clip(0, p.shape[1] - 1)]


def test_no_student_agrees_better_than_the_ceiling():
    finding = own_agreement(FORM, answers(P, DRAW), answers(P, DRAW))
    assert finding.figure["agreement"] == pytest.approx((P**2).sum(axis=1).mean(), abs=0.03)
    best = P.max(axis=1).mean()  # of the student that knows the teacher's probabilities
    assert best <= finding.figure["highest agreement of a student"] <= best + 0.1


def test_the_labels_and_values_of_a_teacher_that_varies_have_a_ceiling():
    many = AnswerForm("probabilities", "multilabel", ("a", "b", "c"))
    on = DRAW.random((4000, 3))
    one, other = ((on > DRAW.random(on.shape)).astype(float) for _ in range(2))
    assert own_agreement(many, one, other).figure["agreement"] == pytest.approx((on**2 + (1 - on) ** 2).mean(), abs=0.03)
    truth = DRAW.normal(size=(4000, 1))
    noisy = [truth + 0.5 * DRAW.normal(size=truth.shape) for _ in range(2)]
    found = own_agreement(AnswerForm("values", "regression"), *noisy)
    assert found.figure["highest R2 of a student"] == pytest.approx(1 / 1.25, abs=0.03)


def test_preflight_reports_the_ceiling_of_a_teacher_that_varies_and_of_none_that_does_not():
    rows = np.arange(400.0)[:, None]
    draw = np.random.default_rng(1)
    found = preflight(CustomTeacher(lambda part: answers(P[part[:, 0].astype(int)], draw), FORM), rows)
    assert [finding.check for finding in found.of("error")] == ["repeatable"]
    assert any(finding.check == "ceiling" for finding in found.of("note"))
    steady = preflight(CustomTeacher(lambda part: P[part[:, 0].astype(int)], FORM), rows)
    assert not any(finding.check == "ceiling" for finding in steady.findings)


@pytest.mark.parametrize("smoothing", [0, 1])
def test_votes_have_a_ceiling_unless_they_are_smoothed(smoothing):
    texts = [f"text {index}" for index in range(3000)]
    votes = [[str(vote) for vote in DRAW.choice(list("abc"), 5, p=p)] for p in P[:3000]]
    labels = read_answers(pa.table({"text": texts, "votes": votes}), answers="votes", kind="votes", content="text", smoothing=smoothing)
    found = [finding for finding in preflight(labels, texts, rows=3000).findings if finding.check == "ceiling"]
    assert len(found) == 1 - smoothing
    if found:
        assert found[0].figure["agreement"] == pytest.approx((P[:3000] ** 2).sum(axis=1).mean(), abs=0.03)
        assert "at most 5" in found[0].sentence


def test_votes_of_a_language_model_have_a_ceiling_as_logged_ones_do():
    with serving(lambda body: completion(body, "spam", "spam", "ham")) as endpoint:
        teacher = asker(endpoint, votes=3)
        answered = query_sample(teacher, Sample(["a", "b"], 2, 2))
    (found,) = check_votes(teacher, answered)
    assert found.figure["agreement"] == pytest.approx(1 / 3)
