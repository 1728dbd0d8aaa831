import numpy as np
import pytest
import torch

import tutelage as tl
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.shared_targets import with_shared_targets
from tutelage.losses.signals import Signals
from tutelage.losses.top_targets import TopTargets

RNG = np.random.default_rng(0)
ROWS, CLASSES = 5, 9
TEACHER = RNG.normal(size=(ROWS, CLASSES)) * 2
STUDENT = torch.from_numpy(RNG.normal(size=(ROWS, CLASSES)))
Y = torch.tensor([0, 3, 8, 1, 1])
REDUCED = {
    "soft_cross_entropy": tl.losses.soft_cross_entropy,
    "kl_divergence": tl.losses.kl_divergence,
    "reverse_kl": tl.losses.reverse_kl,
    "jensen_shannon": tl.losses.jensen_shannon,
    "decoupled": tl.losses.decoupled,
    "weighted_soft_labels": tl.losses.weighted_soft_labels,
}
REFUSED = {
    "logit_matching": tl.losses.logit_matching(),
    "dist": tl.losses.dist(),
    "standardised_divergence": tl.losses.standardised_divergence(),
}
TEMPERATURES = [1.0, 4.0, 0.5]


def top_of(teacher, top_k):
    """Exact answers in double precision."""
    logs = torch.log_softmax(torch.as_tensor(teacher), dim=-1)
    values, ids = logs.topk(top_k, dim=-1)
    rest = logs.scatter(-1, ids, -torch.inf).logsumexp(dim=-1)
    return TopTargets(ids, values, rest, teacher.shape[-1])


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("name", REDUCED)
def test_with_all_classes_but_one_it_is_the_loss_of_all_classes(name, temperature):
    objective = REDUCED[name](temperature=temperature)
    expected = objective(Signals(STUDENT, torch.from_numpy(TEACHER), Y)).total
    for top_k in (CLASSES - 1, CLASSES):
        found = objective(Signals(STUDENT, top_of(TEACHER, top_k), Y)).total
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("name", ["soft_cross_entropy", "kl_divergence"])
def test_without_a_rest_it_is_the_loss_of_all_classes(name, temperature):
    teacher = TEACHER.copy()
    teacher[np.arange(CLASSES) >= np.array([[4], [3], [2], [4], [1]])] = -np.inf
    objective = REDUCED[name](temperature=temperature)
    expected = objective(Signals(STUDENT, torch.from_numpy(teacher))).total
    torch.testing.assert_close(objective(Signals(STUDENT, top_of(teacher, 4))).total, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("name", [name for name in REDUCED if name not in ("decoupled", "weighted_soft_labels")])
def test_it_is_the_loss_of_student_and_teacher_with_the_rest_as_one_class(name, temperature):
    """Computed by hand: the teacher's rest in equal parts at the temperature, and both sides added up over the rest."""
    top = top_of(TEACHER, 3)
    dense = torch.as_tensor(TopAnswers(top.ids.numpy(), top.log_probs.numpy(), top.rest.numpy(), CLASSES).dense())
    named = torch.zeros(ROWS, CLASSES, dtype=torch.bool).scatter(1, top.ids, True)

    def added(logits):
        p = torch.softmax(logits / temperature, dim=1)
        return torch.cat([p.gather(1, top.ids), p.masked_fill(named, 0).sum(dim=1, keepdim=True)], dim=1)

    p, q = added(dense), added(STUDENT)
    m = (p + q) / 2
    kl = lambda a, b: (a * (a / b).log()).sum(dim=1)  # noqa: E731
    expected = {
        "soft_cross_entropy": -(p * q.log()).sum(dim=1),
        "kl_divergence": kl(p, q),
        "reverse_kl": kl(q, p),
        "jensen_shannon": (kl(p, m) + kl(q, m)) / 2,
    }
    found = REDUCED[name](temperature=temperature)(Signals(STUDENT, top)).total
    torch.testing.assert_close(found, expected[name] * temperature**2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in REDUCED if name != "weighted_soft_labels"])  # whose weights have no gradient
def test_its_gradient_is_that_of_finite_differences(name, assert_differentiable):
    top = top_of(TEACHER, 3)
    assert_differentiable(lambda student: REDUCED[name](temperature=2.0)(Signals(student, top, Y)).total, STUDENT)


@pytest.mark.parametrize("name", REDUCED)
def test_it_is_computed_row_by_row_and_copy_by_copy(name, assert_copy_by_copy):
    top = top_of(TEACHER, 3)
    objective = REDUCED[name](temperature=3.0)
    one_by_one = [objective(Signals(STUDENT[one], top[one], Y[one])).total for one in torch.arange(ROWS).split(1)]
    torch.testing.assert_close(objective(Signals(STUDENT, top, Y)).total, torch.cat(one_by_one))
    assert_copy_by_copy(lambda student: objective(Signals(student, top, Y)).total, STUDENT)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", REDUCED)
def test_each_copy_may_have_its_own_temperature(name, shared):
    temperatures = [1.0, 4.0, 1.0]
    top, stack = top_of(TEACHER, 3), torch.stack([STUDENT, 2 * STUDENT, -STUDENT])
    objective = REDUCED[name](temperature=torch.tensor(temperatures)[:, None, None])
    if shared:
        distinct = REDUCED[name](temperature=torch.tensor([1.0, 4.0])[:, None, None])
        objective = with_shared_targets(objective, distinct, torch.tensor([0, 1, 0]))
    together = objective(Signals(stack, top, Y)).total
    for which, temperature in enumerate(temperatures):
        torch.testing.assert_close(together[which], REDUCED[name](temperature=temperature)(Signals(stack[which], top, Y)).total)


@pytest.mark.parametrize("top_k", [1, 3, CLASSES - 1, CLASSES])
def test_the_true_class_is_taken_out_of_the_rest(top_k):
    top = top_of(TEACHER, top_k)
    whole, place = top.with_truth(Y)
    assert whole.ids.gather(1, place[:, None])[:, 0].tolist() == Y.tolist()
    assert whole.ids.shape[1] == min(top_k + 1, CLASSES)
    assert all(len(set(row)) == len(row) for row in whole.ids.tolist())
    before, after = (TopAnswers(each.ids.numpy(), each.log_probs.numpy(), each.rest.numpy(), CLASSES).dense() for each in (top, whole))
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_decoupled_is_that_of_the_named_classes_the_truth_and_the_rest():
    top = top_of(TEACHER, 3)
    whole, place = top.with_truth(Y)
    p, q = torch.softmax(whole.logits(2.0) / 2, dim=1), torch.softmax(whole.of_student(STUDENT, 2.0) / 2, dim=1)
    of_true = torch.nn.functional.one_hot(place, 5).bool()
    kl = lambda a, b: (a * (a / b).log()).sum(dim=1)  # noqa: E731
    pair = lambda each: torch.stack([each[of_true], 1 - each[of_true]], dim=1)  # noqa: E731
    others = lambda each: each[~of_true].view(ROWS, 4) / (1 - each[of_true])[:, None]  # noqa: E731
    expected = 4 * (kl(pair(p), pair(q)) + 8 * kl(others(p), others(q)))
    torch.testing.assert_close(tl.losses.decoupled(temperature=2.0)(Signals(STUDENT, top, Y)).total, expected, rtol=1e-9, atol=1e-9)


def test_weighted_soft_labels_are_weighted_by_the_losses_at_temperature_1():
    top = top_of(TEACHER, 3)
    dense = torch.as_tensor(TopAnswers(top.ids.numpy(), top.log_probs.numpy(), top.rest.numpy(), CLASSES).dense())
    of_student, of_teacher = (torch.nn.functional.cross_entropy(each, Y, reduction="none") for each in (STUDENT, dense))
    weights = 1 - torch.exp(-of_student / (of_teacher + 1e-7))
    expected = weights * tl.losses.soft_cross_entropy(temperature=4.0)(Signals(STUDENT, top)).total
    found = tl.losses.weighted_soft_labels(temperature=4.0)(Signals(STUDENT, top, Y)).total
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    with pytest.raises(BadInput, match="weighted_soft_labels reads labels, and this batch has none"):
        tl.losses.weighted_soft_labels()(Signals(STUDENT, top))
    nothing = TopTargets(top.ids, top.log_probs.log_softmax(1), torch.full((ROWS,), -torch.inf, dtype=torch.float64), CLASSES)
    missing = (nothing.ids != Y[:, None]).all(dim=1)
    losses = tl.losses.weighted_soft_labels()(Signals(STUDENT, nothing, Y)).total
    assert missing.any()
    assert (losses[missing] == 0).all()  # as where the true class is impossible for the teacher


@pytest.mark.parametrize("name", REFUSED)
def test_terms_that_need_a_number_for_every_class_are_refused(name):
    with pytest.raises(BadInput, match=rf"{name} needs the teacher's number for each of 9 classes, and only the 3 most probable"):
        REFUSED[name](Signals(STUDENT, top_of(TEACHER, 3), labels=Y))


def test_every_term_for_classes_reduces_or_is_refused_or_reads_no_teacher():
    terms = [term for build in (*REDUCED.values(),) for term in build().terms] + [term for each in REFUSED.values() for term in each.terms]
    every = {name for name in tl.losses.class_terms.__dict__ if name in tl.losses.__all__ and name.islower()}
    assert every - {"hard_cross_entropy", "virtual_teacher"} == {term.name for term in terms} | (every & {"functional"})
    assert [term.name for term in terms if term.reduces or term.of_top is not None] == list(REDUCED)


def test_terms_that_read_no_teacher_are_as_without():
    objective = tl.losses.hard_cross_entropy() + tl.losses.virtual_teacher()
    torch.testing.assert_close(
        objective(Signals(STUDENT, top_of(TEACHER, 3), labels=Y)).total, objective(Signals(STUDENT, torch.from_numpy(TEACHER), Y)).total
    )


def test_a_student_of_other_classes_or_rows_is_refused():
    for student in (STUDENT[:, 1:], STUDENT[1:]):
        with pytest.raises(ShapeError, match="the teacher's answers to 5 rows among 9 classes differ in shape"):
            tl.losses.kl_divergence()(Signals(student, top_of(TEACHER, 3)))


def test_half_precision_is_computed_in_single_precision():
    top = top_of(TEACHER.astype(np.float32), 3)
    found = tl.losses.kl_divergence(temperature=2.0)(Signals(STUDENT.bfloat16(), top)).total
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, tl.losses.kl_divergence(temperature=2.0)(Signals(STUDENT.bfloat16().float(), top)).total)


def test_the_student_alone_is_widened():
    """No tensor of the teacher has a column for each class: the largest allocations are those of the student."""
    classes, rows, top_k = 20_000, 8, 4
    top = TopTargets(torch.arange(top_k).expand(rows, -1), torch.full((rows, top_k), -2.0), torch.full((rows,), -0.78), classes)
    student = torch.zeros(rows, classes, requires_grad=True)
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        tl.losses.kl_divergence(temperature=2.0)(Signals(student, top)).total.sum().backward()
    assert all(size <= rows * classes for size in sizes)
    assert sum(size == rows * classes for size in sizes) <= 2  # the student itself, and a copy for the softmax over the other classes
