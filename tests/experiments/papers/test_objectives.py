"""The parts of the run `losses`; its quick run is one of `test_runs.py`."""

from dataclasses import replace

import numpy as np
import pytest

from tutelage.data.datasets import Images
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import errors_of
from tutelage.experiments.papers.networks import Schedule
from tutelage.experiments.papers.objectives.candidates import BASELINE, CLASSES, PLAIN, PURE, UNSMOOTHED
from tutelage.experiments.papers.objectives.ranking import PUBLISHED, QUICK, RANKING, _Job, _ranking, in_words
from tutelage.experiments.papers.pictures import Pictures


@pytest.fixture
def pictures():
    """120 training pictures of noise."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (140, 784), dtype=np.uint8), rng.integers(0, 10, 140)
    return Pictures(Images("noise", images[:120], labels[:120], images[120:], labels[120:], tuple("0123456789"), ""), 120, 20)


@pytest.fixture
def job(pictures, tmp_path):
    short = Schedule(epochs=1, batch_size=20)
    return _Job(pictures, replace(QUICK, rows=40, held_out=20, student=short, teacher=short), Store(tmp_path))


def arms(errors):
    """An arm of each published objective, with so many errors among 100 rows."""
    truth = np.zeros(100, dtype=np.int64)
    return {name: errors_of(name, "", np.tile(np.arange(100) < count, (2, 1)).astype(np.int64), truth) for name, count in errors.items()}


def test_every_objective_has_three_settings_where_there_is_something_to_set():
    assert {name: len(settings) for name, settings in CLASSES.items() if len(settings) != 3} == {UNSMOOTHED: 1}
    assert all(len({str(one.described()) for one in settings}) == len(settings) for settings in CLASSES.values())
    assert {name for tied in RANKING for name in tied} == set(PUBLISHED)
    assert {BASELINE, PURE, *PUBLISHED} <= set(CLASSES)


def test_a_setting_is_named_by_what_the_others_have_otherwise():
    assert in_words(PLAIN, 1) == "temperature 4"
    assert in_words("hint", 2) == "weight 100"
    assert all(in_words(name, place) for name, settings in CLASSES.items() for place in range(len(settings)) if len(settings) > 1)


def test_plain_distillation_has_a_tenth_of_the_weight_on_true_classes_as_published():
    for objective in CLASSES[PLAIN]:
        terms = [(term["name"], term["weight"]) for term in objective.described()]
        assert terms == [("hard_cross_entropy", 0.1), ("kl_divergence", 0.9)]


def test_the_published_ranking_survives_whichever_of_two_tied_objectives_is_ahead():
    in_order = dict(zip([name for tied in RANKING for name in tied], (60, 50, 40, 30, 20, 10), strict=True))
    other = {**in_order, "dist": in_order["decoupled"], "decoupled": in_order["dist"]}
    for errors in (in_order, other):
        found = _ranking("job", arms(errors))
        assert found.outcome == "reproduced"
        assert "tau-b +0.97" in found.measured  # 14 pairs in order, and 15 of ours: 14 / sqrt(14 * 15)
        assert "contrastive < dist = decoupled <" in found.published
    backwards = _ranking("job", arms({name: 70 - count for name, count in in_order.items()}))
    assert backwards.outcome == "not reproduced"
    assert "tau-b -0.97" in backwards.measured


def test_each_seed_has_a_teacher_of_its_own(job):
    first, second = (job.teacher(seed).predict_proba(job.pictures.test_inputs) for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_a_prediction_is_found_again_for_the_same_test_pictures_rates_and_layers_only(job):
    task = (UNSMOOTHED, 0, 0)
    predicted = job(task)["predicted"]
    entries = set(job.store.root.iterdir())
    assert np.array_equal(replace(job, size=replace(job.size, parallel=True))(task)["predicted"], predicted)
    assert set(job.store.root.iterdir()) == entries
    size, images = job.size, job.pictures.images
    others = [
        replace(job, pictures=replace(job.pictures, images=replace(images, test_images=images.test_images[::-1]))),
        replace(job, size=replace(size, student=replace(size.student, peak_rate=1e-2))),
        replace(job, size=replace(size, teacher=replace(size.teacher, epochs=2))),
        replace(job, size=replace(size, width=size.width + 1)),
    ]
    found = [other(task)["predicted"] for other in others]
    assert len(set(job.store.root.iterdir()) - entries) == len(others)
    assert np.array_equal(found[0], predicted[::-1])
