from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, LabelMismatch, SelfCheckFailed
from tutelage.data.views import Affine, Views
from tutelage.search.sweep import Setting
from tutelage.training.stacks.networks import mlp, with_new_weights
from tutelage.training.student import TorchStudent

X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
with torch_runtime.seeded(3):
    BIG = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 3))
    nn.init.normal_(BIG[2].weight)
TEACHER = tl.as_teacher(BIG, classes="abc")
LABELS = tl.record(TEACHER, X)
Y = np.array(list("abc"))[TEACHER.answer(X).argmax(axis=1)]
QUICK = {"epochs": 3, "batch_size": 16, "seed": range(2)}
STUDENT = mlp((4, 8, 3))


def test_the_setting_with_the_lowest_mean_over_seeds_is_chosen():
    found = tl.sweep(STUDENT, X, LABELS, Y, temperature=[1, 4], soft_weight=[0.5, 1.0], lr=[0.0001, 0.03], **QUICK | {"seed": range(3)})
    assert found.seeds == (0, 1, 2)
    assert found.scores.shape == (3, 8)
    assert found.best == found.scores.mean(axis=0).argmin()
    assert found.setting.lr == 0.03
    assert found.stacked
    assert found.how == "24 students were trained as stacks of up to 24."
    assert [type(student.network) for student in found.students] == [nn.Sequential] * 3
    for student, score in zip(found.students, found.scores[:, found.best], strict=True):
        assert score == student.fit_.scores.min() == student.fit_.scores[student.fit_.best_epoch[0] - 1]
        assert student.classes_.tolist() == list("abc")
        assert (student.predict(X) == Y).mean() > 0.6


def test_temperatures_are_swept_by_default_and_y_is_optional():
    found = tl.sweep(STUDENT, X, TEACHER, **QUICK)
    assert [setting.temperature for setting in found.settings] == [1.0, 2.0, 4.0, 8.0]
    assert set(found.settings) == {Setting(temperature, 1.0, None) for temperature in (1.0, 2.0, 4.0, 8.0)}
    assert (found.scores % 1).any()


def test_a_live_teacher_is_queried_once_per_row():
    class Counting:
        form, fingerprint, queried = TEACHER.form, "noting", 0

        def answer(self, inputs):
            self.queried += len(inputs)
            return TEACHER.answer(inputs)

    teacher = Counting()
    tl.sweep(STUDENT, X, teacher, stack_size=2, **QUICK)
    assert teacher.queried == len(X)


def test_without_labels_only_y_is_learnt_and_no_temperature_is_tried():
    found = tl.sweep(STUDENT, X, y=Y, lr=dict.fromkeys((0.01, 0.1)).keys(), **QUICK)
    assert found.settings == (Setting(1.0, 0.0, 0.01), Setting(1.0, 0.0, 0.1))


def test_a_soft_weight_of_zero_is_tried_at_one_temperature():
    found = tl.sweep(STUDENT, X, LABELS, Y, temperature=[2.0, 4.0], soft_weight=[0.0, 0.9], **QUICK)
    assert [(setting.temperature, setting.soft_weight) for setting in found.settings] == [(1.0, 0.0), (2.0, 0.9), (4.0, 0.9)]


def test_the_seed_initialises_the_weights_and_a_function_may_use_its_own_initialisation():
    answers = [
        tl.sweep(student, X, LABELS, temperature=2.0, seed=7, epochs=1).students[0].predict_proba(X)
        for student in (STUDENT, partial(mlp, (4, 8, 3)), TorchStudent(mlp((4, 8, 3)), classes="abc"))
    ]
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])

    def zeros():
        network = mlp((4, 8, 3))
        nn.init.zeros_(network[2].weight)
        return network

    other = tl.sweep(zeros, X, LABELS, temperature=2.0, seed=7, epochs=1).students[0].predict_proba(X)
    assert np.abs(other - answers[0]).max() > 0.01


def test_views_and_datasets_are_supported():
    pictures = np.random.default_rng(1).uniform(size=(30, 6, 6)).astype(np.float32)
    teacher = tl.as_teacher(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), classes="abc")
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    validation = (pictures[:10], None, teacher)
    assert tl.sweep(network, Views(pictures, Affine(shift=1), count=2), teacher, validation=validation, **QUICK).stacked
    pairs = TensorDataset(torch.from_numpy(pictures), torch.zeros(30))
    assert tl.sweep(network, pairs, teacher, validation=validation, **QUICK).stacked


def test_a_custom_objective_and_output_are_used():
    class DictOutput(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp((4, 8, 3))

        def forward(self, inputs):
            return {"logits": self.inner(inputs)}

    queried = []

    def objective(temperature, soft_weight):
        queried.append(temperature)
        return soft_weight * tl.losses.kl_divergence(temperature=temperature)

    student = TorchStudent(DictOutput(), output=lambda returned: returned["logits"])
    found = tl.sweep(student, X, LABELS, temperature=[1.0, 2.0], objective=objective, **QUICK)
    assert found.stacked
    assert len(queried) > 2
    assert found.students[0].objective.terms[0].name == "kl_divergence"
    assert found.students[0].predict_proba(X).shape == (120, 3)


class Structured(nn.Module):
    """Returns a structure of outputs, or what is none."""

    def __init__(self, key="logits"):
        super().__init__()
        self.inner, self.key = mlp((4, 8, 3)), key

    def forward(self, inputs):
        return {self.key: self.inner(inputs)}


def test_the_logits_of_a_structure_are_found_in_a_stack_and_other_structures_are_refused():
    found = tl.sweep(Structured(), X, LABELS, temperature=2.0, **QUICK)
    assert found.stacked
    torch.testing.assert_close(
        found.students[0].predict_proba(X),
        tl.sweep(Structured(), X, LABELS, temperature=2.0, stack_size=1, **QUICK).students[0].predict_proba(X),
    )
    with pytest.raises(BadInput, match="the student returns a dict, not a tensor of answers; pass output="):
        tl.sweep(Structured("scores"), X, LABELS, temperature=2.0, **QUICK)


def test_students_of_pixels_are_trained_one_by_one_as_fit_does():
    pictures = np.random.default_rng(1).uniform(size=(16, 1, 4, 4)).astype(np.float32)
    truth = (pictures[:, 0] > 0.5).astype(int)
    network = nn.Conv2d(1, 2, 1)
    teacher = nn.Conv2d(1, 2, 3, padding=1)
    student = TorchStudent(network, classes=[0, 1], positions="pixels")
    labels = tl.record(tl.as_teacher(teacher, classes=[0, 1], positions="pixels"), pictures)
    alone = TorchStudent(with_new_weights(network, 0), classes=[0, 1], positions="pixels")
    alone.fit(pictures, y=truth, epochs=1, validation=0.25)
    for given, soft, y in ((network, labels, None), (student, None, truth), (student, teacher, truth)):
        found = tl.sweep(given, pictures, soft, y, temperature=1.0, seed=range(2), epochs=1, validation=0.25)
        assert found.how == "2 students were trained one by one: answers to pixels take no stack."
        assert found.students[0].form.positions == "pixels"
        if soft is None:
            np.testing.assert_array_equal(found.students[0].predict(pictures), alone.predict(pictures))


def test_an_iterable_dataset_is_read_once():
    read = []

    class Stream(IterableDataset):
        def __iter__(self):
            read.append(1)
            return iter([(torch.from_numpy(row), int(place % 3)) for place, row in enumerate(X)])

    student = TorchStudent(mlp((4, 8, 3)), classes=[0, 1, 2])
    found = tl.sweep(student, Stream(), validation=(X, np.arange(len(X)) % 3), **QUICK)
    assert found.stacked
    assert len(read) == 1


class DataDependent(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, inputs):
        logits = self.inner(inputs)
        return logits if logits.sum() > 1e9 else 2 * logits


def test_students_that_cannot_be_stacked_are_trained_one_by_one_and_the_reason_is_given():
    found = tl.sweep(DataDependent, X, LABELS, temperature=[1.0, 2.0], **QUICK)
    assert not found.stacked
    assert found.how.startswith("4 students were trained one by one: torch.vmap cannot run a DataDependent")
    assert len(found.students) == 2


def test_objectives_on_hidden_layers_train_students_one_by_one():
    found = tl.sweep(
        STUDENT, X, TEACHER, temperature=1.0, objective=lambda *_: tl.losses.soft_cross_entropy() + tl.losses.hint("0", "0"), **QUICK
    )
    assert "one by one: hint 0 takes no stack" in found.how


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3))

    def forward(self, inputs):
        return inputs @ self.weight


@pytest.mark.parametrize(
    ("student", "options", "error", "message"),
    [
        (LogisticRegression(), {}, BadInput, "cannot sweep a LogisticRegression; expected a torch Module"),
        (3, {}, BadInput, "cannot sweep a int"),
        (lambda: 3, {}, BadInput, "returned a int; expected a torch Module"),
        (lambda: STUDENT, {}, BadInput, "returned the same network twice"),
        (Bare(), {}, BadInput, r"the student is a Bare without reset_parameters\(\), .* Pass a function"),
        (TorchStudent(STUDENT, tl.losses.soft_cross_entropy()), {}, BadInput, "the student has an objective"),
        (STUDENT, {"validation": None}, BadInput, "validation is None; a sweep needs validation rows"),
        (STUDENT, {"validation": 0.0}, BadInput, "gives 0 validation rows"),
        (STUDENT, {"temperature": []}, BadInput, "temperature is an empty list"),
        (STUDENT, {"seed": range(0)}, BadInput, "seed is an empty list"),
        (STUDENT, {"temperature": [1.0, -1.0]}, BadInput, "temperature"),
        (STUDENT, {"soft_weight": [0.5, 1.5]}, BadInput, "soft_weight is 1.5; expected a number from 0 "),
        (STUDENT, {"lr": 0.0}, BadInput, "lr is 0.0; expected a finite number above 0"),
        (STUDENT, {"soft_weight": 0.5}, BadInput, "hard_cross_entropy reads labels"),
        (STUDENT, {"checkpoint_steps": 5}, BadInput, "a sweep has no setting 'checkpoint_steps'; .* threads\\."),
        (STUDENT, {"temperatures": [1.0]}, BadInput, "a sweep has no setting 'temperatures'; .* Did you mean temperature"),
        (STUDENT, {"epoch": 2}, BadInput, "Did you mean epochs"),
        (STUDENT, {"stack_size": 0}, BadInput, "stack_size is 0"),
        (STUDENT, {"optimizer": torch.optim.SGD(STUDENT.parameters(), lr=1.0)}, BadInput, "optimizer is a SGD that belongs to one network"),
        (STUDENT, {"labels": tl.record(TEACHER, X + 1)}, LabelMismatch, "are not among the 120"),
        (STUDENT, {"lr": 1e30, "optimizer": partial(torch.optim.SGD, lr=1.0)}, SelfCheckFailed, "no setting has a finite score"),
    ],
)  # fmt: skip
def test_invalid_arguments_of_a_sweep_are_refused(student, options, error, message):
    with pytest.raises(error, match=message):
        tl.sweep(student, X, **{"labels": LABELS, "epochs": 1} | options)


def on_each(where):
    if where == "threads":
        return ThreadPoolExecutor(2)
    return nullcontext(tl.Local(2, threads=torch.get_num_threads()) if where == "local" else tl.Ray())


def only_soft(temperature, soft_weight):
    return tl.losses.soft_cross_entropy(temperature=temperature)


@pytest.mark.parametrize(
    ("where", "stack_size"),
    [("threads", 3), ("threads", 1), *(pytest.param(*one, marks=pytest.mark.exhaustive) for one in (("local", 3), ("ray", 1)))],
)
def test_other_processes_train_the_students_of_this_one(where, stack_size, request):
    if where == "ray":
        request.getfixturevalue("ray")
    given = {"temperature": [1.0, 4.0], "stack_size": stack_size, "objective": only_soft, **QUICK}
    alone = tl.sweep(STUDENT, X, LABELS, Y, **given)
    with on_each(where) as on:
        found = tl.sweep(STUDENT, X, LABELS, Y, on=on, **given)
    assert (found.settings, found.best, found.how) == (alone.settings, alone.best, alone.how)
    np.testing.assert_array_equal(found.scores, alone.scores)
    for mine, other in zip(found.students, alone.students, strict=True):
        np.testing.assert_array_equal(mine.predict_proba(X), other.predict_proba(X))
        assert mine.predict(X).tolist() == other.predict(X).tolist()
        assert vars(mine).keys() == vars(other).keys()


def test_what_cannot_be_trained_elsewhere_is_said():
    with pytest.raises(BadInput, match="objective= cannot be sent to other processes"):
        tl.sweep(STUDENT, X, LABELS, Y, on=tl.Local(1), objective=lambda heat, weight: 2 * only_soft(heat, weight), **QUICK)
    with pytest.raises(BadInput, match=r"expected tl\.Local"):
        tl.sweep(STUDENT, X, LABELS, Y, on=2, **QUICK)


def test_the_errors_of_a_training_elsewhere_are_those_of_one_here():
    said = []
    with ThreadPoolExecutor(1) as on:
        for where in (None, on):
            with pytest.raises(LabelMismatch) as error:
                tl.sweep(STUDENT, X[:50] + 1, LABELS, Y[:50], on=where, **QUICK)
            said.append(str(error.value))
    assert said[0] == said[1]
