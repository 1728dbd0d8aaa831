"""The public losses between hidden layers, as objectives of one term (see `objective.py`).

Layers are named by module path, as listed by `named_modules()`. The teacher's layer has the same path as the student's unless
another is given.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from tutelage.core.arguments import number, text, whole
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.functional import attention, features, relations
from tutelage.losses.functional.numerics import upcast
from tutelage.losses.objective import EVERY_TASK, Objective, Term
from tutelage.losses.signals import Signals
from tutelage.losses.targets import check_temperature

if TYPE_CHECKING:
    from torch import Tensor, nn


def hint(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match a layer unit by unit: mean_u (s_u - t_u)^2 (see `functional.hint`).

    If the layers have different numbers of units or channels, a linear projector is trained together with the student.

    Args:
        student_layer: module path; a layer of units, tokens or feature maps.
        teacher_layer: module path of a layer of the same kind; None for the same path.

    Example:
        >>> import tutelage as tl
        >>> objective = 0.5 * tl.losses.hint("body.0", "features.2") + tl.losses.soft_cross_entropy(temperature=4.0)
        >>> sorted(objective.needs)
        ['student:body.0', 'teacher', 'teacher:features.2']
    """
    return _of_vectors("hint", _projected_hint, student_layer, teacher_layer)


def cosine_distance(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the direction of a layer's vectors: 1 - cos(s, t) (see `functional.cosine_distance`).

    If the layers have different numbers of units or channels, a linear projector is trained together with the student. To match the
    answers of a teacher of embeddings, see `embedding`.

    Args:
        student_layer: module path; a layer of units, tokens or feature maps.
        teacher_layer: module path of a layer of the same kind; None for the same path.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> objective = tl.losses.cosine_distance("body")
        >>> hidden = {"body": torch.tensor([[1.0, 0.0], [1.0, 1.0]])}
        >>> of_teacher = {"body": torch.tensor([[3.0, 0.0], [0.0, 1.0]])}
        >>> batch = tl.losses.Signals(torch.zeros(2, 2), student_hidden=hidden, teacher_hidden=of_teacher)
        >>> modules = objective.modules(batch, rows=2)
        >>> from dataclasses import replace
        >>> print(objective(replace(batch, modules=modules)).total.round(decimals=2))
        tensor([0.0000, 0.2900])
    """
    return _of_vectors("cosine_distance", _projected_cosine, student_layer, teacher_layer)


def attention_maps(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the attention of a transformer's tokens to each other, head by head (see `functional.attention_maps`).

    Args:
        student_layer: a layer that returns attention, (batch, heads, tokens, tokens), with what is to be taken from a tuple or a
            structure in brackets: "encoder.3.attention[1]", or "[attentions][3]" of a network of Hugging Face that was built with
            output_attentions=True.
        teacher_layer: the same, with as many heads; None for the same path.

    Example:
        >>> import tutelage as tl
        >>> objective = tl.losses.attention_maps("[attentions][1]", "[attentions][11]") + tl.losses.soft_cross_entropy(temperature=2.0)
        >>> sorted(objective.needs)
        ['student:[attentions][1]', 'teacher', 'teacher:[attentions][11]']
    """
    loss = attention.attention_maps
    return _at_layers("attention_maps", loss, student_layer, teacher_layer, relates_rows=False, by_token=True, whole_rows=True)


def attention_scores(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the attention scores of a transformer's tokens, before the softmax, head by head (see `functional.attention_scores`).

    Args:
        student_layer: a layer that returns the scores, (batch, heads, tokens, tokens), named as for `attention_maps`. Networks of Hugging
            Face return probabilities alone; match those by `attention_maps`.
        teacher_layer: the same, with as many heads; None for the same path.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> scores = torch.tensor([[[[1.0, 3.0], [0.0, 2.0]]]])
        >>> batch = tl.losses.Signals(torch.zeros(1, 2), student_hidden={"scores": 0 * scores}, teacher_hidden={"scores": scores})
        >>> print(tl.losses.attention_scores("scores")(batch).total)
        tensor([3.5000])
    """
    return _at_layers(
        "attention_scores",
        attention.attention_scores,
        student_layer,
        teacher_layer,
        extra_reads=("tokens",),
        relates_rows=False,
        by_token=True,
        whole_rows=True,
    )


def token_relations(student_layer: str, teacher_layer: str | None = None, *, heads: int = 1) -> Objective:
    """Match how similar the tokens of a row are to each other, in layers of any two widths (see `functional.token_relations`).

    Args:
        student_layer: a layer of tokens, (batch, tokens, units): for MiniLM's value relations the layer of values, such as
            "encoder.layer.1.attention.self.value"; for MiniLMv2 also those of queries and keys, as further terms.
        teacher_layer: the same, of any width; None for the same path.
        heads: the number of relation heads, which divides both widths.

    Raises:
        BadInput: no whole number of heads.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> hidden = torch.eye(2)[None]
        >>> batch = tl.losses.Signals(torch.zeros(1, 2), student_hidden={"v": 0 * hidden}, teacher_hidden={"v": hidden})
        >>> print(tl.losses.token_relations("v")(batch).total.round(decimals=3))
        tensor([0.0590])
    """
    return _at_layers(
        "token_relations",
        attention.token_relations,
        student_layer,
        teacher_layer,
        settings={"heads": whole("heads", heads, 1, MOST_UNITS)},
        extra_reads=("tokens",),
        relates_rows=False,
        by_token=True,
        whole_rows=True,
    )


def attention_transfer(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match attention maps: the positions at which feature maps are active (see `functional.attention_transfer`).

    Args:
        student_layer: module path of a layer of feature maps, (batch, channels, height, width).
        teacher_layer: the same, with any number of channels and any size; None for the same path.

    Example:
        >>> import tutelage as tl
        >>> tl.losses.attention_transfer("conv2", "layer3").paths("teacher")
        ('layer3',)
    """
    return _at_layers(
        "attention_transfer",
        _attention_where_learnt,
        student_layer,
        teacher_layer,
        extra_reads=("places",),
        relates_rows=False,
        whole_rows=True,
    )


def relational_distance(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the distances between the rows of a batch (see `functional.relational_distance`).

    Args:
        student_layer: module path of a layer of any shape.
        teacher_layer: the same; None for the same path.

    Example:
        >>> import tutelage as tl
        >>> objective = 25.0 * tl.losses.relational_distance("body") + 50.0 * tl.losses.relational_angle("body")
        >>> [term.weight for term in objective.terms]
        [25.0, 50.0]
    """
    return _at_layers("relational_distance", relations.relational_distance, student_layer, teacher_layer)


def relational_angle(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match the angles within all triples of rows of a batch (see `functional.relational_angle`).

    Args:
        student_layer: module path of a layer of any shape.
        teacher_layer: the same; None for the same path.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> hidden = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> batch = tl.losses.Signals(torch.zeros(3, 2), student_hidden={"body": hidden}, teacher_hidden={"body": 3 * hidden})
        >>> print(tl.losses.relational_angle("body")(batch).total.round(decimals=3))  # angles do not depend on scale
        tensor([0., 0., 0.])
    """
    return _at_layers("relational_angle", relations.relational_angle, student_layer, teacher_layer)


def similarity_preserving(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match which rows of a batch have similar activations (see `functional.similarity_preserving`).

    Args:
        student_layer: module path of a layer of any shape.
        teacher_layer: the same; None for the same path.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> hidden = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> batch = tl.losses.Signals(torch.zeros(3, 2), student_hidden={"body": hidden[:, :1]}, teacher_hidden={"body": hidden})
        >>> print(tl.losses.similarity_preserving("body")(batch).total.round(decimals=3))
        tensor([0.0000, 0.3330, 0.0000])
    """
    return _at_layers("similarity_preserving", relations.similarity_preserving, student_layer, teacher_layer)


def probabilistic_transfer(student_layer: str, teacher_layer: str | None = None) -> Objective:
    """Match which rows of a batch are neighbours, as probabilities (see `functional.probabilistic_transfer`).

    Args:
        student_layer: module path of a layer of any shape.
        teacher_layer: the same; None for the same path.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> hidden = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> batch = tl.losses.Signals(torch.zeros(3, 2), student_hidden={"body": hidden[:, :1]}, teacher_hidden={"body": hidden})
        >>> print(tl.losses.probabilistic_transfer("body")(batch).total.round(decimals=4))
        tensor([0.0029, 0.0380, 0.0391])
    """
    return _at_layers("probabilistic_transfer", relations.probabilistic_transfer, student_layer, teacher_layer)


def contrastive(
    student_layer: str,
    teacher_layer: str | None = None,
    *,
    embedding: int = 128,
    negatives: int = 1024,
    temperature: float = 0.07,
    momentum: float = 0.5,
) -> Objective:
    """Contrast pairs of one row's embeddings with pairs of two rows, from a memory bank (CRD; see `functional.ContrastiveMemory`).

    Args:
        student_layer: module path of a layer of any shape.
        teacher_layer: the same; None for the same path.
        embedding: dimension of the embeddings.
        negatives: number of rows with which each row is compared.
        temperature: the lower, the sharper the similarities.
        momentum: weight of the old embedding when the memory bank is updated, in [0, 1).

    Raises:
        BadInput: a parameter out of range.

    Example:
        >>> import tutelage as tl
        >>> objective = 0.8 * tl.losses.contrastive("body", "features", embedding=64)
        >>> sorted(objective.needs)  # index: the position of each row in the data
        ['index', 'student:body', 'teacher:features']
    """
    settings = {
        "embedding": whole("embedding", embedding, 1, MOST_UNITS),
        "negatives": whole("negatives", negatives, 1, MOST_UNITS),
        "temperature": check_temperature(temperature),
        "momentum": number("momentum", momentum, least=0, below=1),
    }
    build = partial(_memory, settings=settings)
    return _at_layers("contrastive", _contrast, student_layer, teacher_layer, build=build, settings=settings, extra_reads=("index",))


MOST_UNITS = 10**6
"""The largest embedding, and the largest number of negatives: more fills all memory."""

Build = Callable[[str, str, Signals, int], "nn.Module"]


def _of_vectors(name: str, loss: Callable[..., Tensor], student_layer: str, teacher_layer: str | None) -> Objective:
    """A loss of each row, token or place of a feature map, after the student's vectors are projected to the teacher's."""
    return _at_layers(name, loss, student_layer, teacher_layer, build=_projector, relates_rows=False, by_token=True, whole_rows=True)


def _at_layers(
    name: str,
    loss: Callable[..., Tensor],
    student_layer: str,
    teacher_layer: str | None,
    *,
    build: Build | None = None,
    settings: dict[str, Any] | None = None,
    extra_reads: tuple[str, ...] = (),
    relates_rows: bool = True,
    by_token: bool = False,
    whole_rows: bool = False,
) -> Objective:
    teacher = text("student_layer", student_layer) if teacher_layer is None else text("teacher_layer", teacher_layer)
    text("student_layer", student_layer)
    term = Term(
        f"{name} {student_layer.replace('.', '/')}",  # also the name of a torch module, which cannot contain dots
        loss,
        (f"student:{student_layer}", f"teacher:{teacher}", *extra_reads),
        settings or {},
        build=None if build is None else partial(build, student_layer, teacher),
        tasks=EVERY_TASK,
        stacks=False,
        relates_rows=relates_rows,
        by_token=by_token,
        whole_rows=whole_rows,
    )
    return Objective((term,))


def _projector(student_layer: str, teacher_layer: str, signals: Signals, rows: int) -> nn.Module:
    return features.projector(*_layers(student_layer, teacher_layer, signals))


def _layers(student_layer: str, teacher_layer: str, signals: Signals) -> tuple[Tensor, Tensor]:
    """The two layers of a batch, of whole rows."""
    student = signals.layer("student", student_layer, whole_rows=True)
    teacher = signals.layer("teacher", teacher_layer, whole_rows=True)
    if student is None or teacher is None:
        raise BadInput(f"the batch lacks the student's layer {student_layer!r} or the teacher's {teacher_layer!r}; pass both in Signals.")
    return student, teacher


def _projected_hint(project: nn.Module, student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """The loss of every row, token or place of a feature map."""
    # The projector is outside the network's autocast.
    student, teacher = features.same_size(project(upcast(student_hidden)), upcast(teacher_hidden))
    if student.ndim not in (3, 4) or student.shape != teacher.shape:
        return features.hint(student, teacher)
    return (student - teacher).square().mean(dim=1 if student.ndim == 4 else -1)


def _projected_cosine(project: nn.Module, student_hidden: Tensor, teacher_hidden: Tensor) -> Tensor:
    """The loss of every row, token or place of a feature map."""
    student, teacher = features.same_size(project(upcast(student_hidden)), upcast(teacher_hidden))
    if student.ndim == 4:
        student, teacher = student.movedim(1, -1), teacher.movedim(1, -1)
    return features.cosine_distance(student, teacher)


def _attention_where_learnt(student_hidden: Tensor, teacher_hidden: Tensor, places: Tensor | None) -> Tensor:
    """The loss of every row, over the places of its maps where a pixel counts."""
    if places is None or places.ndim != 3 or student_hidden.ndim != 4 or teacher_hidden.ndim != 4:
        return features.attention_transfer(student_hidden, teacher_hidden)
    student, teacher = features.same_size(upcast(student_hidden), upcast(teacher_hidden))
    count = features.shares(places, student.shape[2:]) > 0
    losses = features.attention_transfer(student * count[:, None], teacher * count[:, None])  # a place of zeros adds nothing
    return losses * count[0].numel() / count.flatten(1).sum(dim=1).clamp_min(1)


def _memory(student_layer: str, teacher_layer: str, signals: Signals, rows: int, *, settings: dict[str, Any]) -> nn.Module:
    from tutelage.losses.functional.contrast import ContrastiveMemory

    student, teacher = _layers(student_layer, teacher_layer, signals)
    if signals.places is not None:
        raise BadInput(
            "contrastive compares rows, of which it keeps a memory, and these answers belong to tokens or pixels; use hint, "
            "cosine_distance or similarity_preserving."
        )
    if signals.tokens is not None and (student.ndim == 3 or teacher.ndim == 3):
        raise ShapeError(
            f"contrastive embeds whole layers, and {student_layer!r} or {teacher_layer!r} has tokens, of which rows have different "
            "numbers; name layers of one vector per row."
        )
    memory = ContrastiveMemory(student[0].numel(), teacher[0].numel(), rows=rows, **settings)
    return memory.to(student.device)


def _contrast(memory: nn.Module, student_hidden: Tensor, teacher_hidden: Tensor, index: Tensor, **settings: Any) -> Tensor:
    """The contrastive loss. The module already has the settings; the term repeats them for `Objective.described`."""
    loss: Tensor = memory(student_hidden, teacher_hidden, index)
    return loss
