from dataclasses import replace

import pytest
import torch
from torch import nn

import tutelage as tl
from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional import features, relations
from tutelage.losses.hooks import capturing
from tutelage.losses.signals import Signals


def network(channels):
    return nn.Sequential(nn.Conv2d(1, channels, 3), nn.Sequential(nn.ReLU(), nn.Flatten()), nn.LazyLinear(3))


with torch_runtime.seeded(0):
    IMAGES = torch.randn(5, 1, 6, 6)
    STUDENT, TEACHER = network(2), network(4)
    STUDENT(IMAGES), TEACHER(IMAGES)


def signals_of(paths):
    with capturing(STUDENT, paths) as student, capturing(TEACHER, paths) as teacher:
        answers = STUDENT(IMAGES)
        with torch.no_grad():
            TEACHER(IMAGES)
    return Signals(answers, student_hidden=student, teacher_hidden=teacher, index=torch.arange(5))


@pytest.mark.parametrize(
    ("factory", "function", "layer"),
    [
        (tl.losses.attention_transfer, features.attention_transfer, "0"),
        (tl.losses.relational_distance, relations.relational_distance, "1.1"),
        (tl.losses.relational_angle, relations.relational_angle, "1.1"),
        (tl.losses.similarity_preserving, relations.similarity_preserving, "1.1"),
        (tl.losses.probabilistic_transfer, relations.probabilistic_transfer, "1.1"),
    ],
)
def test_each_term_equals_its_pure_function_of_the_layers(factory, function, layer):
    batch = signals_of([layer])
    total, terms = factory(layer)(batch)
    torch.testing.assert_close(total, function(batch.student_hidden[layer], batch.teacher_hidden[layer]))
    assert list(terms) == [f"{factory.__name__} {layer.replace('.', '/')}"]


def test_a_hint_has_a_projector_that_is_trained():
    objective = tl.losses.hint("0") + tl.losses.hint("1.0", "0")
    batch = signals_of(["0", "1.0"])
    assert objective.needs == {"student:0", "teacher:0", "student:1.0"}
    modules = objective.modules(batch, rows=5)
    total = objective(replace(batch, modules=modules))
    projected = modules["hint 1/0"](batch.student_hidden["1.0"])
    torch.testing.assert_close(total.terms["hint 1/0"], features.hint(projected, batch.teacher_hidden["0"]))
    total.total.sum().backward()
    assert all(parameter.grad is not None for parameter in (*modules.parameters(), *STUDENT[0].parameters()))
    assert all(parameter.grad is None for parameter in TEACHER.parameters())


TOKENS = {"body": torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))}
WIDER = {"body": torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(2))}
COUNTS = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]


def longer(hidden):
    """The same tokens, and two more that do not count."""
    return {path: torch.cat([layer, torch.full((3, 2, layer.shape[2]), 9.0)], dim=1) for path, layer in hidden.items()}


@pytest.mark.parametrize(
    "objective",
    [
        tl.losses.hint("body"), tl.losses.cosine_distance("body"), tl.losses.token_relations("body", heads=2),
        tl.losses.relational_distance("body"), tl.losses.similarity_preserving("body"), tl.losses.probabilistic_transfer("body"),
    ],
    ids=lambda objective: objective.terms[0].name,
)  # fmt: skip
def test_padding_changes_no_loss_of_tokens(objective):
    short = Signals(torch.zeros(3, 2), student_hidden=TOKENS, teacher_hidden=WIDER, tokens=COUNTS)
    counts = torch.cat([COUNTS, torch.zeros(3, 2, dtype=torch.bool)], dim=1)
    long = Signals(torch.zeros(3, 2), student_hidden=longer(TOKENS), teacher_hidden=longer(WIDER), tokens=counts)
    modules = objective.modules(short, rows=3)
    losses = [objective(replace(batch, modules=modules)).total for batch in (short, long)]
    torch.testing.assert_close(*losses)
    assert losses[0].shape == (3,)


def test_a_hint_of_tokens_is_the_mean_over_those_that_count():
    objective = tl.losses.hint("body")
    same = {"body": TOKENS["body"] + 1}
    batch = Signals(torch.zeros(3, 2), student_hidden=TOKENS, teacher_hidden=same, tokens=COUNTS)
    torch.testing.assert_close(objective(replace(batch, modules=objective.modules(batch, rows=3))).total, torch.ones(3))
    torch.testing.assert_close(objective(replace(batch, tokens=None, modules=objective.modules(batch, rows=3))).total, torch.ones(3))


def test_a_cosine_of_feature_maps_is_the_mean_over_their_places():
    objective = tl.losses.cosine_distance("0")
    batch = signals_of(["0"])
    modules = objective.modules(batch, rows=5)
    projected = modules["cosine_distance 0"](batch.student_hidden["0"])
    expected = 1 - torch.nn.functional.cosine_similarity(projected, batch.teacher_hidden["0"], dim=1)
    torch.testing.assert_close(objective(replace(batch, modules=modules)).total, expected.flatten(1).mean(1))


def test_the_memory_of_tokens_of_different_numbers_is_refused():
    batch = Signals(torch.zeros(3, 2), student_hidden=TOKENS, teacher_hidden=WIDER, tokens=COUNTS, index=torch.arange(3))
    with pytest.raises(ShapeError, match="contrastive embeds whole layers, and 'body' or 'body' has tokens"):
        tl.losses.contrastive("body").modules(batch, rows=3)
    with pytest.raises(BadInput, match="the batch lacks the student's layer 'body' or the teacher's 'body'"):
        tl.losses.hint("body").modules(Signals(torch.zeros(3, 2)), rows=3)


def test_the_contrastive_memory_has_every_row_of_the_data():
    objective = tl.losses.contrastive("1.1", embedding=6, negatives=4)
    batch = signals_of(["1.1"])
    modules = objective.modules(batch, rows=50)
    assert modules["contrastive 1/1"].student_memory.shape == (50, 6)
    before = modules["contrastive 1/1"].teacher_memory.clone()
    total = objective(replace(batch, modules=modules)).total
    updated = (modules["contrastive 1/1"].teacher_memory != before).any(dim=1)
    assert updated.tolist() == [True] * 5 + [False] * 45
    assert total.shape == (5,)
    assert "index" in objective.needs


def test_the_description_contains_settings_and_layers():
    (described,) = tl.losses.contrastive("1.1", "2", embedding=6).described()
    assert described["reads"] == ["student:1.1", "teacher:2", "index"]
    assert described["settings"] == {"embedding": 6, "negatives": 1024, "temperature": 0.07, "momentum": 0.5}


def test_stacks_are_rejected_and_every_task_is_accepted():
    for task in ("binary", "multiclass", "multilabel", "regression"):
        tl.losses.hint("0").check(task=task, columns=2, given=set())
    with pytest.raises(ShapeError, match="hint 0 takes no stack"):
        tl.losses.hint("0").check(task="multiclass", columns=3, given=set(), stacked=True)


@pytest.mark.parametrize("options", [{"negatives": 0}, {"embedding": 0}, {"momentum": 1.0}, {"temperature": 0.0}])
def test_invalid_parameters_are_rejected_immediately(options):
    with pytest.raises(BadInput, match="expected"):
        tl.losses.contrastive("0", **options)
