"""The tiny run: its budget, its arms, and that neither is favoured."""

import pytest
import torch

from tutelage.data.datasets import load_mnist
from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.demo.mnist_setting import Split, pixels
from tutelage.experiments.tiny import tiny as recipe
from tutelage.softlabels.recording import record
from tutelage.students.saved.save_load import load_student
from tutelage.teachers.adapt import as_teacher
from tutelage.training.stacks.networks import parameter_count


def test_the_student_keeps_to_the_budget():
    assert parameter_count(recipe.teacher_network()) == 80_202
    for dense in (False, True):
        student = recipe.student_network(dense=dense)
        assert parameter_count(student) == 7834 <= recipe.BUDGET
        assert student(torch.zeros(2, 784)).shape == (2, 10)


def test_a_dense_student_sees_what_the_trained_one_sees_at_every_offset():
    torch.manual_seed(0)
    trained = recipe.student_network()
    for layer in trained:
        layer.momentum = 1.0  # let norms know at once what they see, so that values keep their size
    picture = torch.rand(1, 1, 112, 112)  # large, so that there is a middle that no border reaches
    with torch.no_grad():
        trained[1:-3](picture)
        coarse, away = (trained.eval()[1:-3](picture.roll(by, dims=(2, 3)))[..., 8:20, 8:20] for by in ((0, 0), (-1, -3)))
        fine = recipe.answering_as(trained, dense=True).eval()[1:-3](picture)
    assert (coarse - away).abs().max() > 0.1
    assert (fine[..., 1::4, 1::4][..., 8:20, 8:20] - coarse).abs().max() < 1e-4
    assert (fine[..., 2::4, 4::4][..., 8:20, 8:20] - away).abs().max() < 1e-4
    picture = torch.rand(2, 784)  # at its own size the borders agree as well
    with torch.no_grad():
        coarse, fine = (network.eval()[:-3](picture) for network in (trained, recipe.answering_as(trained, dense=True)))
    assert (fine[..., 1::4, 1::4] - coarse).abs().max() < 1e-4 < coarse.std()


def test_every_arm_is_tuned_equally_hard():
    arms = [setting.arm for setting in recipe.SETTINGS]
    assert {arm: arms.count(arm) for arm in recipe.MEANINGS} == dict.fromkeys(recipe.MEANINGS, 2)


def test_arms_differ_in_what_they_match_alone():
    told = [(term["name"], term["settings"]) for setting in recipe.SETTINGS for term in setting.objective.described()]
    assert told == [
        ("hard_cross_entropy", {"smoothing": 0.0}),
        ("hard_cross_entropy", {"smoothing": 0.1}),
        ("soft_cross_entropy", {"temperature": 2.0}),
        ("soft_cross_entropy", {"temperature": 4.0}),
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_quick_run_learns_within_the_budget(tiny):
    assert [arm["name"] for arm in tiny.results["arms"]] == ["teacher", "student-hard", "student-soft"]
    for name in ("student-hard", "student-soft"):
        assert tiny.arm(name)["parameters"] == 7834
        assert min(tiny.arm(name)["test_accuracy"]) > 0.6
    assert tiny.arm("teacher")["test_accuracy"][0] > 0.85


@pytest.mark.slow
@pytest.mark.exhaustive
def test_saved_students_are_those_that_were_measured(tiny):
    assert sorted(path.name for path in (tiny.folder / "students").iterdir()) == [
        f"student-{kind}-seed{seed}.safetensors" for kind in ("hard", "soft") for seed in (0, 1)
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_run_tells_what_its_students_make_as_they_learnt(tiny):
    images, rows = load_mnist(), recipe.QUICK.test_rows
    inputs, labels = torch.from_numpy(pixels(images.test_images[:rows])), images.test_labels[:rows]
    for kind in ("hard", "soft"):
        errors = []
        for seed in (0, 1):
            kept = load_student(tiny.folder / "students" / f"student-{kind}-seed{seed}.safetensors")
            coarse = recipe.answering_as(kept.network, dense=False).eval()
            with torch.no_grad():
                said = coarse(inputs).argmax(1).numpy()
            errors.append((said != labels).sum())
        assert f"{sum(errors) / 2:.0f} (student-{kind})" in tiny.results["protocol"][-1]


def test_students_answer_densely_where_the_pictures_want_it(tmp_path):
    split = Split(load_mnist(), train_rows=64, epochs=1, held_out=20)
    views = Views(split.inputs, recipe.DIGITS.augment, count=1)
    size = recipe.Size(rows=64, teacher_epochs=1, student_epochs=1, student_batch=64, parallel=False)
    for dense in (True, False):
        student_training = recipe._StudentTraining(views, split.labels, split.validation, size, dense, Store(tmp_path), {"what": "test"})
        for setting in (recipe.TEACHER, recipe.SETTINGS[0]):
            built = recipe.teacher_network() if setting == recipe.TEACHER else recipe.student_network(dense=dense)
            learnt, errors = student_training.network(setting, 0, None, lambda: None)
            assert str(learnt) == str(built)
            assert errors.tolist() == student_training.held_out.score(learnt).tolist()


@pytest.mark.exhaustive
@pytest.mark.slow
def test_networks_in_processes_of_their_own_are_the_same_to_the_bit(tmp_path):
    images = load_mnist()
    split = Split(images, train_rows=256, epochs=1, held_out=100)
    views = Views(split.inputs, recipe.DIGITS.augment, count=1)
    labels = record(as_teacher(recipe.teacher_network().eval(), classes=range(10)), views)
    asked, steps = [(recipe.TEACHER, 0), (recipe.SETTINGS[0], 0), (recipe.SETTINGS[2], 1)], []
    found = []
    for apart in (False, True):
        size = recipe.Size(rows=256, teacher_epochs=1, teacher_batch=128, student_epochs=1, student_batch=64, parallel=apart)
        store = Store(tmp_path / str(apart))
        student_training = recipe._StudentTraining(views, split.labels, split.validation, size, True, store, {"what": "test"})
        found.append(student_training.networks(asked, labels, lambda: steps.append(1)))
    assert len(steps) == 2 * student_training.steps(*(setting for setting, _ in asked)) == 2 * (2 + 4 + 4)
    for (alone, errors), (other, same) in ([learnt[each] for learnt in found] for each in asked):
        assert errors.tolist() == same.tolist()
        assert all(torch.equal(a, b) for a, b in zip(alone.state_dict().values(), other.state_dict().values(), strict=True))
