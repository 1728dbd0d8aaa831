"""The parts of the papers on teachers; their quick runs are those of `test_runs.py`."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.answers import of_classes
from tutelage.core.records import Comparison
from tutelage.data.datasets import Images
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.measures import claim_no_gain, mean_errors_of
from tutelage.experiments.papers.networks import Lessons, Schedule, lenet, trained
from tutelage.experiments.papers.pictures import Jitter, Pictures
from tutelage.experiments.papers.stacked import Arm, together
from tutelage.experiments.papers.teachers import fidelity
from tutelage.experiments.papers.teachers.chosen import SMOOTHINGS, TEMPERATURES, Classroom, fewest_errors
from tutelage.experiments.papers.teachers.consistency import FIXED, INDEPENDENT, MIXED, SAME, Mixed, answers_of_arm
from tutelage.experiments.papers.teachers.mutual import mutual_losses, peers
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.softlabels.labels import SoftLabels
from tutelage.training.stacks.networks import parameter_count


@pytest.fixture
def pictures():
    """120 training pictures of noise."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (140, 784), dtype=np.uint8), rng.integers(0, 10, 140)
    return Pictures(Images("noise", images[:120], labels[:120], images[120:], labels[120:], tuple("0123456789"), ""), 120, 20)


def test_lenet_has_the_weights_of_the_original_and_answers_flat_pictures():
    network = lenet()
    assert parameter_count(network) == 61_706
    assert network(torch.zeros(3, 784)).shape == (3, 10)


@pytest.mark.parametrize("size", [fidelity.FULL, fidelity.QUICK])
def test_every_student_takes_equal_steps_whatever_its_rows(size):
    batch = size.student.batch_size
    assert {size.schedule(count).epochs * (count // batch) for count, _ in size.sets} == {size.seen // batch}
    assert all(count % batch == 0 for count, _ in size.sets)
    assert all(size.schedule(count).epochs >= copies for count, copies in size.sets)  # every copy is seen


def test_the_control_learns_the_teachers_labels_with_the_steps_and_the_initial_weights_of_a_student(pictures, tmp_path):
    teacher, student = Schedule(epochs=1, batch_size=10, peak_rate=1e-2), Schedule(epochs=0, batch_size=20, peak_rate=1e-2)
    size = replace(fidelity.QUICK, own=40, sets=((40, 1),), seen=400, teacher=teacher, student=student)
    learn = fidelity._Student(pictures, size, Store(tmp_path))
    (of_teacher, control), (same_teacher, taught) = learn((3, None)), learn((3, (40, 1)))
    at = np.random.default_rng(3).permutation(120)[:40]
    lessons = Lessons(pictures.inputs[at], {}, pictures.labels[at])
    schedule, seed = replace(student, epochs=10), 3 + fidelity.STUDENT_SEED
    expected, _ = trained(Store(tmp_path / "alone"), size.build, hard_cross_entropy(), schedule, lessons, seed=seed)
    assert np.array_equal(control, expected.predict(pictures.test_inputs))
    assert np.array_equal(of_teacher, same_teacher)
    assert not np.array_equal(control, taught)


@pytest.mark.parametrize(
    ("interval", "verdict", "outcome"),
    [
        ((-19.0, 40.0), "no difference", "reproduced"),
        ((3.0, 40.0), "worse", "reproduced"),
        ((-60.0, -21.0), "beats", "not reproduced"),
        ((-60.0, 30.0), "no difference", "undecided"),
        ((-18.0, -5.0), "beats", "reproduced"),
    ],
)
def test_a_larger_teacher_is_no_better_if_no_gain_above_the_bound_is_left(interval, verdict, outcome):
    comparison = Comparison("large", "small", "test errors", sum(interval) / 2, interval, verdict, "?", "seeds")
    claim = claim_no_gain("No better.", "stated", comparison, within=20.0)
    assert claim.outcome == outcome
    assert claim.same_direction == (sum(interval) / 2 >= -20)
    assert "lies below -20 test errors" in claim.rule


def test_the_errors_of_several_networks_of_a_seed_are_their_mean():
    arm = mean_errors_of("arm", "two networks", np.array([[0.5, 0.0, 1.0, 0.0], [0.5, 0.5, 1.0, 0.0]]))
    assert arm.values == (1.5, 2.0)
    assert arm.mean == 1.75


def test_networks_answer_together_with_their_mean_probability():
    logits = np.log(np.array([[[0.9, 0.1]], [[0.3, 0.7]]], dtype=np.float32)) + 5
    assert np.exp(together(logits)) == pytest.approx(np.array([[0.6, 0.4]]))


def test_the_arm_with_the_fewest_errors_over_all_initial_weights_is_chosen_and_the_first_of_equals():
    truth = np.array([0, 1, 1])
    right, wrong = np.eye(2)[truth], np.eye(2)[1 - truth]
    half = np.concatenate([right[:2], wrong[2:]])
    logits = np.array([[wrong, right, half], [half, wrong, half]], dtype=np.float32)  # 5, 3 and 2 errors
    assert fewest_errors(logits, truth) == 2
    assert fewest_errors(logits[:, [0, 2, 2]], truth) == 1


def test_held_out_pictures_choose_and_teach_nothing(pictures, tmp_path):
    images, held = pictures.images, len(pictures.inputs) // 6
    other = images.train_labels.copy()
    other[-held:] = (other[-held:] + 1) % 10
    schedule, found = Schedule(epochs=2, batch_size=20), []
    for labels in (images.train_labels, other):
        room = Classroom(Pictures(replace(images, train_labels=labels), 120, 20), Store(tmp_path), 0)
        teacher = room.teacher(6, schedule)
        found.append(room.taught(4, schedule, teacher, repeats=2))
        assert room.held_out == held
        assert found[-1].learned.temperature == TEMPERATURES[fewest_errors(_on_held_out(found[-1], pictures, held), labels[-held:])]
        alone = room.on_labels(4, schedule, repeats=2)
        assert alone.learned == Arm(
            hard_weight=1.0, smoothing=SMOOTHINGS[fewest_errors(_on_held_out(alone, pictures, held), labels[-held:])]
        )
        assert tuple(arm.smoothing for arm in alone.students.arms) == SMOOTHINGS
        assert teacher.students.arms == (Arm(hard_weight=1.0),)
    first, second = ([parameter.detach().numpy() for parameter in one.stack.parameters()] for one in found)
    assert all(np.array_equal(one, another) for one, another in zip(first, second, strict=True))
    assert found[0].logits(pictures.test_inputs).shape == (2, 20, 10)


def _on_held_out(network, pictures, held):
    return network.students.logits(network.stack, pictures.inputs[-held:])


def test_taught_networks_differ_by_the_network_that_taught_them(pictures, tmp_path):
    room, schedule = Classroom(pictures, Store(tmp_path), 0), Schedule(epochs=2, batch_size=20)
    teachers = [room.teacher(6, schedule), room.teacher(6, Schedule(epochs=1, batch_size=20)), room.teacher(5, schedule)]
    taught = [room.taught(4, schedule, teacher).logits(pictures.test_inputs) for teacher in teachers]
    assert not np.array_equal(taught[0], taught[1])
    assert not np.array_equal(taught[0], taught[2])


def test_a_network_learns_from_the_others_of_its_cohort_alike_and_not_from_itself():
    expected = torch.zeros(6, 6)
    expected[1, 2] = expected[2, 1] = 1.0
    expected[3:, 3:] = 0.5 - 0.5 * torch.eye(3)
    assert torch.equal(peers((1, 2, 3)), expected)


def test_the_mutual_loss_has_the_gradient_of_the_divergence_from_the_peers_answers():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(1, 3, 5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    truth = torch.randint(4, (1, 5), generator=generator)
    mutual_losses(outputs, truth, peers((1, 2)).double()).sum().backward()
    mutual = outputs.grad.clone()
    outputs.grad = None
    total = sum(nn.functional.cross_entropy(outputs[0, place], truth[0], reduction="sum") for place in range(3))
    for own, peer in ((1, 2), (2, 1)):
        answers = torch.log_softmax(outputs[0, peer].detach(), dim=-1)
        total = total + nn.functional.kl_div(outputs[0, own].log_softmax(dim=-1), answers, reduction="sum", log_target=True)
    total.backward()
    assert torch.allclose(mutual, outputs.grad)


def test_answers_belong_to_the_next_view_or_to_the_picture_as_it_is():
    form, names = of_classes("logits", range(2)), np.arange(6, dtype=np.uint64)
    shown = np.arange(12, dtype=np.float32).reshape(6, 2)
    views, plain = SoftLabels(shown, form, names, "teacher"), np.array([[90, 91], [92, 93]], dtype=np.float32)
    found = {arm: answers_of_arm(arm, views, plain, count=3) for arm in (FIXED, INDEPENDENT, SAME, MIXED)}
    assert found[SAME] is views
    assert found[MIXED] is views
    assert np.array_equal(found[FIXED].answers, np.concatenate([plain, plain, plain]))
    assert np.array_equal(found[INDEPENDENT].answers, shown[[2, 3, 4, 5, 0, 1]])  # of two rows each; after the last view, the first
    assert all(np.array_equal(labels.names, names) for labels in found.values())
    assert len({labels.fingerprint for labels in found.values()}) == 3


def test_mixed_pictures_lie_between_a_moved_picture_and_another_one():
    rows = np.random.default_rng(1).random((3, 784), dtype=np.float32)
    still = np.full((3, 2), 0.5)  # no shift
    which, share = np.array([[0.4], [0.4], [0.99]]), np.array([[1.0 - 1e-9], [0.0], [0.25]])
    augment = Mixed(rows, Jitter(1))
    found = augment(rows, np.concatenate([still, still, which, share], axis=1))
    assert augment.numbers == 6
    assert found.dtype == np.float32
    assert found == pytest.approx(np.stack([rows[0], rows[1], rows[2]]), abs=1e-6)  # 0: itself, 1: picture 1, 2: picture 2 with itself
    moved = augment(rows, np.concatenate([np.zeros((3, 2)), still, which, np.full((3, 1), 0.5)], axis=1))
    expected = (Jitter(1)(rows, np.zeros((3, 2))) + rows[[1, 1, 2]]) / 2
    assert moved == pytest.approx(expected, abs=1e-6)


def test_views_of_mixed_pictures_are_named_by_what_determines_them():
    rows = np.zeros((4, 784), dtype=np.float32)
    assert Views(rows, Mixed(rows, Jitter(2)), count=2).determined_by()["augment"] == "Mixed(jitter=Jitter(pixels=2))"
