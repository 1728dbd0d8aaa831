import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.answers import of_classes
from tutelage.core.errors import BadInput, ShapeError
from tutelage.training.feeding import loss_weights as module

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(60, 4)).astype(np.float32)
Y = np.where(RNG.random(60) < 0.2, "rare", "usual")
OWN = RNG.uniform(0.2, 2, 60)
TEACHER = tl.as_teacher(nn.Linear(4, 2), classes=["rare", "usual"])
MIXED = 0.5 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.5 * tl.losses.hard_cross_entropy()
BALANCED = {name: 60 / 2 / (name == Y).sum() for name in ("rare", "usual")}


def weights_of(student):
    return torch.cat([value.flatten() for value in student.network.state_dict().values()])


def fitted(x=ROWS, labels=TEACHER, y=Y, objective=MIXED, **more):
    torch.manual_seed(1)
    return tl.TorchStudent(nn.Linear(4, 2), objective, classes=["rare", "usual"]).fit(x, labels, y, epochs=2, batch_size=16, **more)


@pytest.mark.parametrize(("class_weight", "by_name"), [("balanced", BALANCED), ({"rare": 9}, {"rare": 9.0, "usual": 1.0})])
@pytest.mark.parametrize("objective", [MIXED, tl.losses.kl_divergence(), tl.losses.hard_cross_entropy()])
def test_class_weights_are_weights_of_the_rows_of_a_class(class_weight, by_name, objective):
    of_rows = np.array([by_name[name] for name in Y])
    expected = weights_of(fitted(objective=objective, sample_weight=of_rows))
    torch.testing.assert_close(weights_of(fitted(objective=objective, class_weight=class_weight)), expected)
    assert not torch.allclose(weights_of(fitted(objective=objective)), expected, atol=1e-4)


def test_rows_have_their_own_weight_times_that_of_their_class_in_validation_too():
    of_class = np.where(Y == "rare", 5.0, 1.0)
    both = fitted(sample_weight=OWN, class_weight={"rare": 5}, validation=0.3)
    product = fitted(sample_weight=OWN * of_class, validation=0.3)
    torch.testing.assert_close(weights_of(both), weights_of(product))
    np.testing.assert_allclose(both.fit_.scores, product.fit_.scores)


def test_given_validation_rows_weigh_by_their_class():
    held, truth = RNG.normal(size=(20, 4)).astype(np.float32), np.array(["rare"] * 5 + ["usual"] * 15)

    for class_weight, rare, usual in (("balanced", 2.0, 2 / 3), ({"rare": 4}, 16 / 7, 4 / 7)):
        for validation in ((held, truth), DataLoader(list(zip(held, truth, strict=True)), batch_size=7)):
            student = fitted(class_weight=class_weight, validation=validation)
            wrong = fitted(class_weight=class_weight).predict(held) != truth  # the last epoch
            expected = rare * wrong[:5].sum() + usual * wrong[5:].sum()
            assert student.fit_.scores[-1, 0] == pytest.approx(expected)
    answered = fitted(class_weight={"rare": 4}, validation=(held, None, TEACHER))
    weights = TEACHER.form.probabilities(TEACHER.answer(held)) @ np.array([4.0, 1.0])
    logits = torch.from_numpy(fitted(class_weight={"rare": 4}).outputs(held))
    losses = -(torch.from_numpy(TEACHER.form.probabilities(TEACHER.answer(held))) * logits.log_softmax(1)).sum(1).numpy()
    assert answered.fit_.scores[-1, 0] == pytest.approx((losses * weights).mean() / weights.mean(), rel=1e-5)
    with pytest.raises(BadInput, match=r"class_weight is 'balanced', and the validation rows have no ground truth .*validation=\(X, y\)"):
        fitted(class_weight="balanced", validation=(held, None, TEACHER))


def test_balanced_classes_weigh_the_same_in_total_with_the_weights_of_rows():
    form = of_classes("logits", ("rare", "usual"))
    given = {"rows": 60, "truth": torch.from_numpy(form.codes(Y)), "answers": None, "answer_form": None, "layout": None}
    found = module.loss_weights(OWN, "balanced", form, **given).numpy()
    assert found[Y == "rare"].sum() == pytest.approx(found[Y == "usual"].sum())
    assert found.mean() == pytest.approx(1)


def test_without_truth_a_row_has_the_mean_weight_by_the_teachers_probabilities():
    soft = tl.losses.soft_cross_entropy()
    expected = TEACHER.form.probabilities(TEACHER.answer(ROWS)) @ np.array([4.0, 1.0])
    by_class = fitted(y=None, objective=soft, class_weight={"rare": 4})
    torch.testing.assert_close(weights_of(by_class), weights_of(fitted(y=None, objective=soft, sample_weight=expected)))
    top = TopAnswers(np.array([[2, 0]]), np.log([[0.5, 0.3]]), np.log([0.2]), columns=4)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    assert module._expected(top, None, weights) == pytest.approx([0.5 * 3 + 0.3 * 1 + 0.2 * 3])


def test_positions_weigh_by_their_class_and_by_their_row():
    lengths = RNG.integers(1, 6, 30)
    texts = {"ids": [RNG.integers(0, 9, n) for n in lengths], "attention_mask": [np.ones(n, int) for n in lengths]}
    tags = [np.where(RNG.random(n) < 0.3, -100, RNG.integers(0, 2, n)) for n in lengths]
    weights = RNG.uniform(0.2, 2, 30)

    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 2)

        def forward(self, ids, attention_mask):
            return self.embed(ids)

    def trained(objective, **more):
        torch.manual_seed(1)
        made = tl.TorchStudent(Tagger(), objective, classes=[0, 1], positions="tokens")
        return made.fit(texts, y=tags, epochs=1, batch_size=30, optimizer=torch.optim.SGD, **more).network.embed.weight.detach()

    torch.manual_seed(1)
    by_hand = Tagger()
    flat, of_row = np.concatenate(tags), np.repeat(np.arange(30), lengths)
    learnt = flat >= 0
    count = np.bincount(flat[learnt], weights=weights[of_row[learnt]])
    each = torch.tensor(weights[of_row[learnt]] * (count.sum() / 2 / count)[flat[learnt]])
    logits = by_hand.embed(torch.from_numpy(np.concatenate(texts["ids"])[learnt]))
    losses = nn.functional.cross_entropy(logits, torch.from_numpy(flat[learnt]), reduction="none")
    ((losses * each).sum() / each.sum()).backward()
    expected = by_hand.embed.weight.detach() - 1e-3 * by_hand.embed.weight.grad
    found = trained(tl.losses.hard_cross_entropy(), sample_weight=weights, class_weight="balanced")
    torch.testing.assert_close(found, expected)
    scored = tl.TorchStudent(Tagger(), classes=[0, 1], positions="tokens")
    fit = scored.fit(texts, y=tags, epochs=1, sample_weight=weights, class_weight="balanced", validation=0.4).fit_
    assert np.isfinite(fit.scores).all()


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"class_weight": {"rar": 3}}, BadInput, r"names the class 'rar'.*Did you mean rare"),
        ({"class_weight": "even"}, BadInput, "class_weight is 'even'; expected 'balanced' or a dict"),
        ({"class_weight": "balanced", "y": None, "objective": tl.losses.soft_cross_entropy()}, BadInput, "no ground truth whose classes"),
        ({"class_weight": {"rare": 0, "usual": 0}}, BadInput, "gives every class the weight 0"),
        ({"sample_weight": np.ones(3)}, ShapeError, "expected one weight for each of 60 rows"),
    ],
)
def test_weights_of_no_use_are_refused(more, error, message):
    with pytest.raises(error, match=message):
        fitted(**more)


def test_class_weights_of_what_is_read_batch_by_batch_are_refused_and_weights_of_rows_are_taken():
    data = TensorDataset(torch.from_numpy(ROWS), torch.from_numpy((Y == "usual").astype(int)))
    made = tl.TorchStudent(nn.Linear(4, 2), tl.losses.hard_cross_entropy(), classes=[0, 1])
    with pytest.raises(BadInput, match=r"class_weight needs the classes of all rows before the training.*pass y beside its inputs"):
        made.fit(data, epochs=1, class_weight="balanced")
    torch.manual_seed(1)
    of_loader = tl.TorchStudent(nn.Linear(4, 2), tl.losses.hard_cross_entropy(), classes=[0, 1])
    of_loader.fit(DataLoader(data, batch_size=16, shuffle=True), epochs=2, sample_weight=OWN)
    torch.manual_seed(1)
    of_rows = tl.TorchStudent(nn.Linear(4, 2), tl.losses.hard_cross_entropy(), classes=[0, 1])
    of_rows.fit(ROWS, y=(Y == "usual").astype(int), epochs=2, batch_size=16, sample_weight=OWN)
    assert torch.equal(weights_of(of_loader), weights_of(of_rows))
    students = []
    for given in (data, TensorDataset(torch.from_numpy(ROWS)), ROWS):
        torch.manual_seed(1)
        beside = tl.TorchStudent(nn.Linear(4, 2), tl.losses.hard_cross_entropy(), classes=[0, 1])
        beside.fit(given, y=data.tensors[1], epochs=2, batch_size=16, class_weight="balanced")
        students.append(weights_of(beside))
    assert torch.equal(students[0], students[1])
    assert torch.equal(students[0], students[2])
    weighted = list(zip(*data.tensors, torch.from_numpy(OWN), strict=True))
    with pytest.raises(BadInput, match=r"of 3 values.* The weights of rows are passed as sample_weight="):
        made.fit(DataLoader(weighted, batch_size=16), epochs=1)


def test_each_view_of_a_row_weighs_by_the_teachers_answer_to_it_times_the_weight_of_the_row():
    pictures = RNG.random((10, 1, 4, 4), dtype=np.float32)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        network[1].weight.mul_(40)
    teacher = tl.as_teacher(network, classes=["rare", "usual"])
    views = tl.transfer.Views(pictures, tl.transfer.Affine(degrees=90, shift=2), count=2)
    one = tl.losses.Objective((tl.losses.Term("one", lambda student, target: (student * 0).sum(-1) + 1, ("student", "teacher")),))
    by_view = [teacher.form.probabilities(teacher.answer(views.view(view, np.arange(10)))) @ np.array([9.0, 1.0]) for view in range(2)]
    for own in (None, OWN[:10]):
        student = tl.TorchStudent(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), one)
        student.fit(views, teacher, epochs=2, batch_size=10, class_weight={"rare": 9}, sample_weight=own)
        expected = np.array(by_view) * (1 if own is None else own)
        np.testing.assert_allclose(student.fit_.losses, expected.mean(axis=1) / expected.mean(), rtol=1e-5)
