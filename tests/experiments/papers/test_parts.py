from functools import partial

import numpy as np
import torch
from scipy.special import expit

from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_processes
from tutelage.experiments.papers.networks import Lessons, Schedule, layered, trained
from tutelage.experiments.papers.pictures import Jitter
from tutelage.experiments.papers.rows.compression import Marginals, NaiveBayes
from tutelage.experiments.papers.rows.tables import selected_ensemble
from tutelage.experiments.papers.stacked import Arm, Students
from tutelage.experiments.papers.theory.bayes_teacher import bayes, drawn
from tutelage.experiments.papers.theory.linear_student import descended, projected
from tutelage.losses.class_terms import hard_cross_entropy


def test_a_picture_is_moved_by_whole_pixels_and_what_comes_in_is_empty():
    picture = np.arange(1, 785, dtype=np.float32).reshape(1, 784)
    jitter = Jitter(2)
    assert (jitter(picture, np.array([[0.5, 0.5]])) == picture).all()
    moved = jitter(picture, np.array([[0.0, 0.99]])).reshape(28, 28)
    assert (moved[2:, :26] == picture.reshape(28, 28)[:26, 2:]).all()
    assert (moved[:2] == 0).all()
    assert (moved[:, 26:] == 0).all()
    views = Views(np.repeat(picture, 500, axis=0), jitter, count=1)
    assert len(np.unique(views.view(0, slice(None)), axis=0)) == 25


def test_weights_into_a_unit_stay_within_their_bound_and_a_trained_network_comes_from_the_cache(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((200, 8)).astype(np.float32)
    lessons = Lessons(rows, {"rows": 0}, (rows[:, 0] > 0).astype(np.int64))
    schedule = Schedule(5, batch_size=20, peak_rate=0.3, max_norm=0.5)
    train = partial(trained, Store(tmp_path), partial(layered, (8, 16, 10)), hard_cross_entropy(), schedule, lessons)
    student, _ = train(seed=1)
    norms = [parameter.norm(dim=1).max().item() for parameter in student.network.parameters() if parameter.ndim > 1]
    assert max(norms) <= 0.5 + 1e-5
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again, _ = train(seed=1)
    assert (again.predict_proba(rows) == student.predict_proba(rows)).all()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_each_student_of_a_stack_learns_what_its_arm_says(tmp_path):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((600, 5)).astype(np.float32)
    truth, logits = (rows[:, 0] > 0).astype(np.int64), np.column_stack([np.zeros(600), 6 * rows[:, 1]])
    students = Students((5, 16, 2), (Arm(hard_weight=1.0), Arm(), Arm(temperature=4.0)), 2, 20, 50, 1e-2, Store(tmp_path))
    found = students.logits(students.fresh(0, inputs=rows, logits=logits, truth=truth), rows).argmax(axis=-1)
    assert found.shape == (2, 3, 600)
    assert ((found[:, 0] == truth).mean(axis=1) > 0.95).all()
    assert ((found[:, 1:] == (rows[:, 1] > 0)).mean(axis=2) > 0.95).all()
    assert torch.get_num_threads() >= 1
    cached = students.trained(0, inputs=rows, logits=logits, truth=truth, made_from={})
    assert (students.logits(cached, rows).argmax(axis=-1) == found).all()


def test_rows_of_a_naive_bayes_estimate_keep_groups_apart_that_random_rows_mix():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((1000, 2)) + 6 * np.repeat([0, 1], 500)[:, None]
    for maker, together in ((NaiveBayes(), True), (Marginals(), False)):
        made = maker.make(rows, 4000, seed=0)
        assert made.shape == (4000, 2)
        assert abs(made.mean(axis=0) - rows.mean(axis=0)).max() < 0.3
        assert (np.corrcoef(made.T)[0, 1] > 0.8) == together
        assert abs(np.corrcoef(made[:2000, 0], np.arange(2000))[0, 1]) < 0.1
        np.testing.assert_array_equal(made, maker.make(rows, 4000, seed=0))
    assert np.isin(made, rows).all()


def test_an_ensemble_is_selected_by_rows_that_its_models_did_not_learn():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 4))
    labels = (rows[:, 0] * rows[:, 1] > 0).astype(np.int64)
    answers = selected_ensemble(rows[:300], labels[:300], trees=10, seed=0)(rows[300:])
    assert answers.shape == (200, 2)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    assert (answers.argmax(axis=1) == labels[300:]).mean() > 0.8
    turned = labels[:300].copy()
    turned[:60] = 1 - turned[:60]  # the rows that select: the worst models of these are now the best
    assert (selected_ensemble(rows[:300], turned, trees=10, seed=0)(rows[300:]).argmax(axis=1) == labels[300:]).mean() < 0.8


def test_the_bayes_teacher_answers_with_the_true_frequencies():
    rows, labels = drawn(np.random.default_rng(0), 200_000)
    p = bayes(rows)
    for low in (0.1, 0.5, 0.8):
        near = (p > low) & (p < low + 0.05)
        assert abs(labels[near].mean() - p[near].mean()) < 0.015


def test_gradient_descent_on_a_teacher_ends_at_its_projection():
    rng = np.random.default_rng(0)
    rows, teacher = rng.standard_normal((6, 12)), rng.standard_normal(12)
    found = descended(rows, expit(rows @ teacher), steps=3000)
    assert np.allclose(found, projected(rows, teacher), atol=1e-4)


def test_tasks_in_processes_come_back_in_order():
    done = []
    assert in_processes(abs, [-3, 2, -1], parallel=False, done=done.append) == [3, 2, 1]
    assert done == [-3, 2, -1]
    assert in_processes(abs, [-3, 2, -1, 5], done=done.append) == [3, 2, 1, 5]
    assert sorted(done[3:]) == [-3, -1, 2, 5]
