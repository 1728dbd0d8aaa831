"""Specialists: which classes they get, which rows, what is corrected, and how their answers are put together."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from tutelage.core.arrays import softmax
from tutelage.experiments.papers.hinton.clusters import Opinion, clusters, combined, dustbin_correction, specialist_rows
from tutelage.experiments.papers.hinton.specialists import in_dustbin, specialist_network, within_groups
from tutelage.experiments.papers.networks import layered


def test_classes_that_are_predicted_together_are_one_group():
    rng = np.random.default_rng(0)
    partner = np.array([3, 4, 5, 0, 1, 2])
    first = rng.integers(0, 6, 2000)
    logits = rng.standard_normal((2000, 6))
    logits[np.arange(2000), first] += 5
    logits[np.arange(2000), partner[first]] += 4
    assert clusters(softmax(logits), 3, seed=0) == ((0, 3), (1, 4), (2, 5))


def test_half_of_the_rows_are_of_the_special_classes_and_all_of_both_parts_are_used():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [30, 10, 80, 80]))
    at = specialist_rows(labels, (0, 1), seed=1)
    special = np.isin(labels[at], (0, 1))
    assert len(at) == len(labels)
    assert special.sum() == 100
    assert set(np.unique(at[special], return_counts=True)[1].tolist()) == {2, 3}
    assert len(np.unique(at[special])) == 40
    assert len(np.unique(at[~special])) == 100
    np.testing.assert_array_equal(at, specialist_rows(labels, (0, 1), seed=1))
    assert (at != specialist_rows(labels, (0, 1), seed=2)).any()


def test_the_corrected_dustbin_of_an_ideal_specialist_has_its_true_probability():
    rng = np.random.default_rng(0)
    joint = rng.random((3, 50))  # of three classes and fifty inputs; the last class is the dustbin
    joint *= np.array([0.05, 0.15, 0.8])[:, None] / joint.sum(axis=1, keepdims=True)
    seen = joint * np.array([0.5 / 0.2, 0.5 / 0.2, 0.5 / 0.8])[:, None]  # half of the rows are special
    labels = np.repeat(np.arange(3), [5, 15, 80])
    opinion = Opinion.of((0, 1), (seen / seen.sum(axis=0)).T, dustbin_correction(labels, (0, 1)))
    np.testing.assert_allclose(opinion.probabilities, (joint / joint.sum(axis=0)).T, atol=1e-9)


def divergence(p, q):
    return float((p * (np.log(p) - np.log(q))).sum())


@pytest.mark.parametrize("specials", [((0, 1), (2, 3)), ((0, 1, 2), (1, 2), (0, 2, 4))])
def test_the_combined_answer_minimises_the_divergences_of_the_specialists_that_are_asked(specials):
    rng = np.random.default_rng(1)
    generalist = softmax(2 * rng.standard_normal((4, 6)))
    opinions = [Opinion(special, softmax(2 * rng.standard_normal((4, len(special) + 1)))) for special in specials]
    found = combined(generalist, opinions)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for row in range(4):
        asked = [one for one in opinions if generalist[row].argmax() in one.special]

        def total(z, row=row, asked=asked):
            q = softmax(z[None])[0]
            value = divergence(generalist[row], q)
            for one in asked:
                inside = q[list(one.special)]
                value += divergence(one.probabilities[row], np.append(inside, 1 - inside.sum()))
            return value

        best = minimize(total, np.zeros(6), method="BFGS", options={"gtol": 1e-8})
        np.testing.assert_allclose(found[row], softmax(best.x[None])[0], atol=1e-4)


def test_without_a_specialist_of_the_predicted_class_the_generalist_answers():
    generalist = np.array([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])
    opinion = Opinion((0, 1), np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]]))
    found = combined(generalist, [opinion])
    np.testing.assert_allclose(found[0], generalist[0])
    np.testing.assert_allclose(found[1], [0.35, 0.55, 0.1], atol=1e-9)


def test_a_specialist_starts_as_the_generalist():
    torch.manual_seed(0)
    generalist = layered((784, 5, 10))
    rows = torch.rand(3, 784)
    with torch.no_grad():
        whole, found = generalist(rows), specialist_network(generalist, (2, 7))(rows)
    torch.testing.assert_close(found[:, :2], whole[:, [2, 7]])
    others = [label for label in range(10) if label not in (2, 7)]
    torch.testing.assert_close(found[:, 2], whole[:, others].mean(dim=1))
    assert in_dustbin(np.array([7, 2, 0, 9]), (2, 7)).tolist() == [1, 0, 2, 2]


def test_where_the_group_is_known_only_its_classes_count():
    generalist = np.array([[0.3, 0.1, 0.6], [0.2, 0.3, 0.5], [0.9, 0.05, 0.05]])
    opinion = Opinion((0, 1), np.array([[0.1, 0.2, 0.7], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]]))
    of_generalist, of_specialist = within_groups(generalist, [opinion], np.array([0, 0, 2]))
    assert of_generalist.tolist() == [True, False, True]
    assert of_specialist.tolist() == [False, False, True]
