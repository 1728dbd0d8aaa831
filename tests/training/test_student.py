from contextlib import nullcontext
from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, LabelMismatch, SelfCheckFailed, ShapeError
from tutelage.data.views import Affine, Views
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.settings import one_cycle
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

INPUTS = torch.from_numpy(np.random.default_rng(0).normal(size=(70, 4)).astype(np.float32))
ROWS = INPUTS.numpy()
NAMES = ("a", "b", "c")
with torch_runtime.seeded(3):
    BIG = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 3))
    nn.init.normal_(BIG[3].weight)
TEACHER = as_teacher(BIG, classes=NAMES)
DECIDED = np.array(NAMES)[TEACHER.answer(ROWS).argmax(axis=1)]


def small(seed=0):
    with torch_runtime.seeded(seed):
        return mlp((4, 8, 3))


def agreement(student):
    return (student.predict(ROWS) == DECIDED).mean()


QUICK = {"epochs": 30, "batch_size": 16, "optimizer": partial(torch.optim.Adam, lr=0.02)}


def test_a_network_learns_from_recorded_answers_and_takes_their_classes():
    student = TorchStudent(small()).fit(ROWS, record(TEACHER, ROWS), **QUICK)
    assert student.classes_.tolist() == list(NAMES)
    assert agreement(student) > 0.9 > (TorchStudent(small(), classes=NAMES).predict(ROWS) == DECIDED).mean()
    assert student.fit_.losses[-1] < student.fit_.losses[0]


def test_a_training_has_its_own_number_of_threads():
    seen, before = [], torch.get_num_threads()
    TorchStudent(small()).fit(ROWS, TEACHER, epochs=1, threads=before + 1, callbacks=[lambda report: seen.append(torch.get_num_threads())])
    assert (seen, torch.get_num_threads()) == ([before + 1], before)
    with pytest.raises(BadInput, match="threads is 0; expected a whole number, 1 or more"):
        TorchStudent(small()).fit(ROWS, TEACHER, threads=0)


def test_labels_and_soft_labels_are_weighted_and_reported_by_name():
    reports = []
    objective = 0.7 * soft_cross_entropy(temperature=2.0) + 0.3 * hard_cross_entropy()
    TorchStudent(small(), objective).fit(ROWS, TEACHER, DECIDED, epochs=2, callbacks=[reports.append])
    assert set(reports[1].terms) == {"soft_cross_entropy", "hard_cross_entropy"}
    assert sum(reports[1].terms.values()) == pytest.approx(reports[1].loss, rel=1e-5)


def test_without_a_teacher_it_learns_labels_in_their_sorted_order():
    student = TorchStudent(small()).fit(ROWS, y=DECIDED, **QUICK)
    assert student.classes_.tolist() == list(NAMES)
    assert agreement(student) > 0.9


def inputs_only(items):
    return torch.stack([inputs for inputs, _ in items])


@pytest.mark.parametrize("kind", ["tensor", "Dataset", "DataLoader"])
def test_tensors_datasets_and_loaders_give_the_same_bits(kind):
    labels = record(TEACHER, ROWS)
    pairs = TensorDataset(INPUTS, torch.arange(70))
    given = {"tensor": INPUTS, "Dataset": pairs, "DataLoader": DataLoader(pairs, batch_size=7, shuffle=True, collate_fn=inputs_only)}[kind]
    expected = TorchStudent(small()).fit(ROWS, labels, epochs=2, batch_size=7).network.state_dict()
    trained = TorchStudent(small()).fit(given, labels, epochs=2, batch_size=7).network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in trained.items())


def test_a_dataset_gives_the_ground_truth_and_a_live_teacher_is_queried_with_the_students_inputs():
    names = list(zip(INPUTS, np.array(NAMES)[TEACHER.answer(ROWS).argmax(axis=1)], strict=True))
    pairs = DataLoader(names, batch_size=16, shuffle=True)
    queried = []

    class RecordsQueries:
        form, fingerprint = TEACHER.form, "records queries"

        def answer(self, inputs):
            queried.append(np.array(inputs))
            return TEACHER.answer(inputs)

    both = 0.5 * soft_cross_entropy() + 0.5 * hard_cross_entropy()
    student = TorchStudent(small(), both).fit(pairs, RecordsQueries(), epochs=1)
    assert [len(part) for part in queried] == [16, 16, 16, 16, 6]
    assert sorted(np.concatenate(queried)[:, 0].tolist()) == sorted(ROWS[:, 0].tolist())
    assert student.fit_.losses[0] > 0


def test_the_student_is_trained_on_the_recorded_views():
    pictures = np.random.default_rng(1).uniform(size=(20, 6, 6)).astype(np.float32)
    views = Views(pictures, Affine(shift=1), count=3)
    teacher = as_teacher(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), classes=NAMES)
    with torch_runtime.seeded(0):
        nn.init.normal_(teacher.network[1].weight, std=1)
        network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    student = TorchStudent(network).fit(
        views, record(teacher, views), epochs=60, batch_size=5, optimizer=partial(torch.optim.Adam, lr=0.02)
    )
    assert (student.predict(pictures) == np.array(NAMES)[teacher.answer(pictures).argmax(axis=1)]).mean() > 0.9
    with pytest.raises(LabelMismatch, match=r"not those that were recorded .* same Views"):
        TorchStudent(network).fit(Views(pictures, Affine(shift=1), count=3, seed=1), record(teacher, views))
    with pytest.raises(BadInput, match=r"must not be augmented: with Views pass validation=\(X, y\)"):
        TorchStudent(network).fit(views, record(teacher, views), validation=0.2)


def test_a_share_of_the_rows_or_separate_rows_select_the_epoch():
    labels = record(TEACHER, ROWS)
    share = TorchStudent(small()).fit(ROWS, labels, DECIDED, validation=0.3, **QUICK)
    own = TorchStudent(small()).fit(ROWS, labels, validation=(ROWS[:20], DECIDED[:20]), **QUICK)
    by_loss = TorchStudent(small()).fit(ROWS, labels, validation=(ROWS[:20], None, TEACHER), **QUICK)
    for student in (share, own, by_loss):
        assert student.fit_.best_epoch[0] == student.fit_.scores[:, 0].argmin() + 1
    assert float(own.fit_.scores.min()) == (own.predict(ROWS[:20]) != DECIDED[:20]).sum()
    assert 0 < by_loss.fit_.scores.min() < 1.2


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_student_learns_regression_and_multilabel_answers():
    values = as_teacher(nn.Linear(4, 2), task="regression")
    student = TorchStudent(nn.Linear(4, 2), tl.losses.squared_error()).fit(ROWS, values, **QUICK | {"epochs": 200}, validation=0.2)
    np.testing.assert_allclose(student.predict(ROWS), values.answer(ROWS), atol=0.05)
    assert not hasattr(student, "predict_proba")
    labels = as_teacher(nn.Linear(4, 2), classes=("x", "y"), task="multilabel")
    student = TorchStudent(nn.Linear(4, 2), tl.losses.soft_bernoulli()).fit(ROWS, labels, **QUICK | {"epochs": 200}, validation=0.2)
    assert (student.predict(ROWS) == (labels.answer(ROWS) > 0)).mean() > 0.95


@pytest.mark.slow
def test_a_student_learns_with_each_training_setting():
    labels = record(TEACHER, ROWS)
    for options in (
        {"schedule": one_cycle},
        {"clip_norm": 1.0},
        {"average": 0.9},
        {"precision": "bfloat16"},
        {"patience": 5, "validation": 0.2},
        {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.3, momentum=0.9)},
    ):
        assert agreement(TorchStudent(small()).fit(ROWS, labels, **QUICK | options)) > 0.8, options


def test_an_output_function_extracts_the_logits():
    class ReturnsDict(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = small()

        def forward(self, inputs):
            return {"answers": self.inner(inputs), "hidden": inputs}

    with pytest.raises(BadInput, match=r"returns a dict, not a tensor of answers; pass output="):
        TorchStudent(ReturnsDict()).fit(ROWS, TEACHER)
    assert agreement(TorchStudent(ReturnsDict(), output=lambda returned: returned["answers"]).fit(ROWS, TEACHER, **QUICK)) > 0.9
    chosen = TorchStudent(ReturnsDict(), output=lambda returned: returned["answers"]).fit(ROWS, TEACHER, DECIDED, validation=0.3, **QUICK)
    assert chosen.fit_.scores.min() < 8


def test_hidden_layers_are_matched_through_projectors_that_are_not_part_of_the_student():
    objective = soft_cross_entropy() + 0.1 * tl.losses.hint("1", "1")
    student = TorchStudent(small(), objective).fit(ROWS, TEACHER, **QUICK)
    assert [parameter.shape for parameter in student.projectors_.parameters()] == [(30, 8), (30,)]
    assert list(student.network.state_dict()) == list(small().state_dict())
    assert agreement(student) > 0.9
    assert not student.network[1]._forward_hooks
    assert not BIG[1]._forward_hooks
    with pytest.raises(BadInput, match=r"reads the teacher's layer '1', and SoftLabels has no layers; pass the teacher's network"):
        TorchStudent(small(), objective).fit(ROWS, record(TEACHER, ROWS))
    with pytest.raises(BadInput, match=r"has no layer 'hidden'"):
        TorchStudent(small(), tl.losses.hint("hidden", "1")).fit(ROWS, TEACHER)


def test_a_projector_takes_a_layers_output_in_half_precision():
    objective = soft_cross_entropy() + 0.1 * tl.losses.hint("1", "1")
    assert agreement(TorchStudent(small(), objective).fit(ROWS, TEACHER, precision="bfloat16", **QUICK)) > 0.9


def test_a_checkpoint_of_another_teacher_or_of_more_rows_is_refused_for_a_dataset_too(tmp_path):
    pairs, other = TensorDataset(INPUTS, torch.arange(70)), as_teacher(nn.Linear(4, 3), classes=NAMES)
    TorchStudent(small()).fit(pairs, TEACHER, epochs=1, checkpoints=tmp_path)
    with pytest.raises(LabelMismatch, match=r"of another training: its teacher is torch:"):
        TorchStudent(small()).fit(pairs, other, epochs=1, checkpoints=tmp_path)
    with pytest.raises(LabelMismatch, match=r"of another training: its data is 70 rows"):
        TorchStudent(small()).fit(TensorDataset(INPUTS[:60], torch.arange(60)), TEACHER, epochs=1, checkpoints=tmp_path)


def test_projectors_are_restored_from_a_checkpoint(tmp_path):
    objective = soft_cross_entropy() + tl.losses.hint("1", "1")
    with pytest.raises(BadInput, match=r"checkpoint_steps is 5 and checkpoints is None: no checkpoint is saved\. Pass checkpoints="):
        TorchStudent(small(), objective).fit(ROWS, TEACHER, epochs=4, checkpoint_steps=5)
    alone = TorchStudent(small(), objective).fit(ROWS, TEACHER, epochs=4)

    def stop(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TorchStudent(small(), objective).fit(ROWS, TEACHER, epochs=4, callbacks=[stop], checkpoints=tmp_path)
    resumed = TorchStudent(small(), objective).fit(ROWS, TEACHER, epochs=4, checkpoints=tmp_path)
    for before, after in ((alone.network, resumed.network), (alone.projectors_, resumed.projectors_)):
        assert all(torch.equal(value, after.state_dict()[name]) for name, value in before.state_dict().items())


def test_a_training_leaves_no_gradients_and_no_projectors_in_an_optimizer_instance():
    network = small()
    optimizer = torch.optim.Adam([{"params": network[0].parameters()}, {"params": [network[2].bias]}], lr=0.01)
    objective = soft_cross_entropy() + tl.losses.hint("1", "1")

    def stop(report):
        raise KeyboardInterrupt

    for callbacks in ([], [], [stop]):
        with pytest.raises(KeyboardInterrupt) if callbacks else nullcontext():
            TorchStudent(network, objective).fit(ROWS, TEACHER, epochs=1, optimizer=optimizer, callbacks=callbacks)
        assert [len(group["params"]) for group in optimizer.param_groups] == [2, 1]
        assert set(optimizer.state) == {*network[0].parameters(), network[2].bias}
        assert all(parameter.grad is None for parameter in network.parameters())


OTHER = small()


@pytest.mark.parametrize(
    ("network", "labels", "options", "error", "message"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), TEACHER, {}, BadInput, "probabilities already .* Remove the softmax"),
        (nn.Linear(4, 2), TEACHER, {}, ShapeError, r"shape \(2, 2\); expected \(2, 3\), one logit for each"),
        (nn.ReLU(), TEACHER, {}, BadInput, "no parameters; expected a network with weights"),
        (BIG, TEACHER, {}, BadInput, "share 4 of the student's 4 parameter tensors"),
        (small(), record(TEACHER, ROWS + 1), {}, LabelMismatch, "70 of 70 rows are not among the 70"),
        (small(), record(TEACHER, ROWS[:50]), {}, LabelMismatch, "20 of 70 rows are not among the 50"),
        (small(), None, {}, BadInput, "no teacher and no y"),
        (small(), None, {"y": DECIDED[:9]}, ShapeError, "y has 9 rows and X has 70"),
        (small(), TEACHER, {"y": np.where(DECIDED == "a", "z", DECIDED)}, LabelMismatch, r"holds the labels \['z'\], which are not"),
        (small(), TEACHER, {"epoch": 3}, BadInput, "'epoch' is no training setting.* Did you mean epochs"),
        (small(), TEACHER, {"validation": 0.001}, BadInput, "gives 0 validation rows and 70 training rows"),
        (small(), TEACHER, {"validation": 5}, BadInput, "validation is a int"),
        (small(), TEACHER, {"average": 2.0}, BadInput, "average is 2.0"),
        (small(), TEACHER, {"precision": "float8"}, BadInput, "'float32' or 'bfloat16'"),
        (small(), TEACHER, {"optimizer": torch.optim.SGD(OTHER.parameters(), lr=0.1)}, BadInput, "none of the student's parameters"),
    ],
)  # fmt: skip
def test_input_that_does_not_fit_is_refused_before_training(network, labels, options, error, message):
    with pytest.raises(error, match=message):
        TorchStudent(network).fit(ROWS, labels, **options)


def test_an_objective_that_reads_missing_labels_is_refused():
    with pytest.raises(BadInput, match="hard_cross_entropy reads labels"):
        TorchStudent(small(), hard_cross_entropy()).fit(ROWS, TEACHER)


def test_classes_that_differ_from_the_teachers_are_refused():
    with pytest.raises(LabelMismatch, match=r"the student's classes are .* the teacher's"):
        TorchStudent(small(), classes=("c", "b", "a")).fit(ROWS, TEACHER)


def test_a_nan_loss_stops_with_its_rows_and_leaves_the_checkpoint(tmp_path):
    answers = TEACHER.answer(ROWS)
    labels = SoftLabels(answers, TEACHER.form, tl.record(TEACHER, ROWS).names, "t")

    def set_weights_to_nan(report):
        if report.epoch == 2:
            with torch.no_grad():
                network[0].weight.fill_(float("nan"))

    network = small()
    with pytest.raises(SelfCheckFailed, match="loss of epoch 3 is nan, first in the batch of rows"):
        TorchStudent(network).fit(ROWS, labels, epochs=5, callbacks=[set_weights_to_nan], checkpoints=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_student_predicts_its_classes_from_probabilities_at_temperature_one():
    network = nn.Linear(4, 3)
    student = TorchStudent(network, classes=("a", "b", "c"))
    p = student.predict_proba(INPUTS.numpy())
    np.testing.assert_allclose(p, torch.softmax(network(INPUTS), 1).detach().numpy(), rtol=1e-5)
    assert student.predict(INPUTS.numpy()).tolist() == [("a", "b", "c")[i] for i in p.argmax(axis=1)]


def test_rows_or_classes_that_do_not_fit_the_network_are_refused():
    with pytest.raises(ShapeError, match=r"cannot take rows of shape \(5,\)"):
        TorchStudent(nn.Linear(4, 2), classes=(0, 1)).predict(np.zeros((1, 5)))
    with pytest.raises(ShapeError, match="one for each of 3 classes"):
        TorchStudent(nn.Linear(4, 2), classes=(0, 1, 2)).predict(np.zeros((1, 4)))


@pytest.mark.parametrize("rows", [["a text"], csr_array(np.eye(4)), [[object()] * 4], [[10**400] * 4], [[1.0], [1.0, 2.0]]])
def test_rows_that_are_no_numbers_are_refused(rows):
    with pytest.raises(BadInput, match="a network takes numbers"):
        TorchStudent(small(), classes=NAMES).predict(rows)


def full_batch(X, labels, *, network=None, **settings):
    student = TorchStudent(network or small(), classes=NAMES)
    sgd = partial(torch.optim.SGD, lr=0.5)
    return student.fit(X, labels, epochs=20, batch_size=len(X), optimizer=sgd, **settings)


@pytest.mark.parametrize("weights", [np.repeat([2, 1], [30, 40]), np.repeat([0.5, 0.25], [30, 40])])
def test_a_row_of_weight_two_counts_as_two_rows(weights):
    probabilities = TEACHER.form.probabilities(TEACHER.answer(ROWS)).astype(np.float64)
    weighted = full_batch(ROWS, probabilities, sample_weight=weights)
    repeated = full_batch(np.concatenate([ROWS, ROWS[:30]]), np.concatenate([probabilities, probabilities[:30]]))
    np.testing.assert_allclose(weighted.predict_proba(ROWS), repeated.predict_proba(ROWS), atol=1e-6)
    assert np.abs(weighted.predict_proba(ROWS) - full_batch(ROWS, probabilities).predict_proba(ROWS)).max() > 1e-3


def test_weights_are_those_of_the_rows_of_views_and_of_datasets():
    weights, dataset = np.linspace(0, 1, 70), TensorDataset(INPUTS)
    settings = {"epochs": 3, "batch_size": 16, "sample_weight": weights}
    whole = TorchStudent(small()).fit(ROWS, TEACHER, **settings).predict_proba(ROWS)
    for rows in (dataset, DataLoader(dataset, batch_size=16, shuffle=True)):
        np.testing.assert_allclose(TorchStudent(small()).fit(rows, TEACHER, **settings).predict_proba(ROWS), whole, atol=1e-5)
    pictures = ROWS.reshape(70, 2, 2)
    views = Views(pictures, Affine(shift=0, degrees=0), count=2, plain_first=True)
    teacher = as_teacher(nn.Sequential(nn.Flatten(), BIG), classes=NAMES)

    def of_views(weights):
        student = TorchStudent(nn.Sequential(nn.Flatten(), small()))
        return student.fit(views, teacher, epochs=2, sample_weight=weights).predict_proba(pictures)

    assert np.array_equal(of_views(None), of_views(np.ones(70)))
    assert not np.allclose(of_views(None), of_views(weights))


def test_the_share_for_validation_is_weighted_too():
    student = TorchStudent(small()).fit(ROWS, y=DECIDED, epochs=4, validation=0.3, sample_weight=np.where(DECIDED == "a", 5.0, 0.1))
    scores = student.fit_.scores[:, 0]
    assert scores.min() >= 0
    assert scores.max() <= 21  # a sum of weights of mean 1
    assert any(score % 1 for score in scores)


@pytest.mark.parametrize(
    ("weights", "error", "match"),
    [
        (np.ones(3), ShapeError, "expected one weight for each of 70 rows"),
        (np.repeat([-1.0, 1.0], 35), BadInput, "negative numbers"),
        (np.repeat([0.0, 1.0], [69, 1]), BadInput, "has a weight of zero"),
    ],
)
def test_unusable_weights_are_refused(weights, error, match):
    with pytest.raises(error, match=match):
        TorchStudent(small()).fit(ROWS, TEACHER, validation=0.5, sample_weight=weights)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_student_of_values_is_evaluated_compared_and_measured_by_parts(outputs):
    truth = ROWS[:, :outputs] * 2.0
    teacher = as_teacher(lambda rows: np.asarray(rows)[:, :outputs] * 1.5, kind="values", version="1")
    student = TorchStudent(nn.Linear(4, outputs)).fit(ROWS, teacher, **QUICK)
    measured = tl.evaluate(student, teacher, ROWS, truth, budget_seconds=0.01, resamples=100)
    expected = tl.evaluate(as_teacher(student), teacher, ROWS, truth, budget_seconds=None, resamples=100)
    assert (measured.against_truth, measured.against_teacher) == (expected.against_truth, expected.against_teacher)
    assert measured.cost.alone is not None
    assert tl.evaluate(student, None, ROWS, truth, budget_seconds=None, resamples=100).against_truth == expected.against_truth
    assert tl.compare(student, student, ROWS, truth).difference == 0
    by_parts = tl.evaluate(student, tl.parts(ROWS, record(teacher, ROWS), truth), budget_seconds=None)
    assert by_parts.against_truth["mse"].value == pytest.approx(expected.against_truth["mse"].value)


def test_a_student_of_labels_says_so_where_no_teacher_does():
    y = (ROWS[:, :2] > 0).astype(int)
    student = TorchStudent(nn.Linear(4, 2)).fit(ROWS, y=y, **QUICK)
    assert tl.evaluate(student, None, ROWS, y, budget_seconds=None, resamples=100).task == "multilabel"
