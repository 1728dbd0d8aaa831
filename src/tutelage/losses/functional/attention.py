"""Losses between the tokens of a row: the attention of transformers, and how similar the tokens are to each other."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.features import check_same_rows
from tutelage.losses.functional.numerics import divergence, upcast

MASKED = -100.0
"""Attention scores from this down are those of masked tokens."""

SMALLEST = 1e-30
"""Attention below this counts as this: the logarithm of zero is not finite. In float16, in which gradients are returned to attention of
that type, 1.6e-5 takes its place: the gradient is an inverse, and larger ones are not finite."""


def attention_maps(student_attention: Tensor, teacher_attention: Tensor) -> Tensor:
    """Divergence of attention: mean_h KL(a_t || a_s) for each token, over the tokens that it attends to.

    Args:
        student_attention: (batch, heads, tokens, tokens) probabilities, or (batch, tokens, tokens) for one head.
        teacher_attention: the same shape.

    Returns:
        (batch, tokens), in nats.

    Raises:
        ShapeError: other shapes, or another number of heads or tokens.

    Source:
        Sun et al. 2020 (MobileBERT, attention transfer), arXiv 2004.02984; Wang et al. 2020 (MiniLM), arXiv 2002.10957, for the last
        layer alone. For the scores before the softmax see `attention_scores`.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[[[0.5, 0.5], [0.9, 0.1]]]])
        >>> print(tl.losses.functional.attention_maps(torch.full((1, 1, 2, 2), 0.5), teacher).round(decimals=3))
        tensor([[0.0000, 0.3680]])
    """
    student, teacher = _same_heads(student_attention, teacher_attention)
    smallest = max(SMALLEST, 1.05 / torch.finfo(student_attention.dtype).max)
    return divergence(teacher.clamp_min(SMALLEST).log(), student.clamp_min(smallest).log()).mean(dim=1)


def attention_scores(student_scores: Tensor, teacher_scores: Tensor, tokens: Tensor | None = None) -> Tensor:
    """Squared difference of attention scores, those before the softmax: mean over the heads and the tokens that are attended to.

    Args:
        student_scores: (batch, heads, tokens, tokens), or (batch, tokens, tokens) for one head; a score of -100 or less is that of a
            masked token, and counts as 0.
        teacher_scores: the same shape.
        tokens: (batch, tokens) bool, which tokens count; None if all do. Scores of others are left out.

    Returns:
        (batch, tokens); that of a token which does not count is of no use.

    Raises:
        ShapeError: other shapes, or another number of heads or tokens.

    Source:
        Jiao et al. 2020 (TinyBERT), arXiv 1909.10351; the mask as in the authors' code, which takes the mean over all tokens.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> teacher = torch.tensor([[[[1.0, 3.0], [0.0, -10000.0]]]])
        >>> print(tl.losses.functional.attention_scores(torch.zeros(1, 1, 2, 2), teacher))
        tensor([[5., 0.]])
    """
    student, teacher = _same_heads(student_scores, teacher_scores)
    student, teacher = (scores.masked_fill(scores <= MASKED, 0.0) for scores in (student, teacher))
    squares: Tensor = (student - teacher).square().mean(dim=1)
    if tokens is None:
        return squares.mean(dim=-1)
    attended = tokens[:, None, :].to(squares.dtype)
    return (squares * attended).sum(dim=-1) / attended.sum(dim=-1).clamp_min(1)


def token_relations(student_hidden: Tensor, teacher_hidden: Tensor, tokens: Tensor | None = None, *, heads: int = 1) -> Tensor:
    """Divergence of the relations between tokens: mean_h KL(r_t || r_s) for each token, r = softmax(x x' / sqrt(d)).

    The units of each layer are divided among the heads, d for each, so that layers of any two widths can be compared.

    Args:
        student_hidden: (batch, tokens, units), such as the values of an attention layer, or its queries or keys.
        teacher_hidden: (batch, tokens, units), of any width.
        tokens: (batch, tokens) bool, which tokens count; None if all do. Relations to others are left out.
        heads: the number of relation heads, which divides both widths.

    Returns:
        (batch, tokens), in nats; that of a token which does not count is of no use.

    Raises:
        ShapeError: layers without tokens, or with different ones; widths that the heads do not divide.

    Source:
        Wang et al. 2020 (MiniLM, value relations), arXiv 2002.10957; Wang et al. 2021 (MiniLMv2, queries, keys and values, any number of
        heads), arXiv 2012.15828.

    Example:
        >>> import torch
        >>> import tutelage as tl
        >>> hidden = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> print(tl.losses.functional.token_relations(hidden.repeat(1, 1, 2) * 0.5**0.25, hidden).round(decimals=3))
        tensor([[0., 0.]])
        >>> print(tl.losses.functional.token_relations(0 * hidden, hidden).round(decimals=3))
        tensor([[0.0590, 0.0590]])
    """
    check_same_rows(student_hidden, teacher_hidden)
    for side, hidden in (("student", student_hidden), ("teacher", teacher_hidden)):
        if hidden.ndim != 3:
            raise ShapeError(f"the {side}'s layer has shape {tuple(hidden.shape)}; expected (batch, tokens, units).")
        if hidden.shape[2] % heads:
            raise ShapeError(f"the {side}'s layer has {hidden.shape[2]} units, which {heads} relation heads do not divide.")
    _check_same_tokens(student_hidden, teacher_hidden)
    student, teacher = (_relations(upcast(hidden), tokens, heads) for hidden in (student_hidden, teacher_hidden))
    return divergence(teacher, student).mean(dim=1)


def _same_heads(student_attention: Tensor, teacher_attention: Tensor) -> tuple[Tensor, Tensor]:
    """(batch, heads, tokens, tokens) each, with as many heads and tokens."""
    student, teacher = (_with_heads(side, maps) for side, maps in (("student", student_attention), ("teacher", teacher_attention)))
    if student.shape[1] != teacher.shape[1]:
        raise ShapeError(
            f"the student's attention has {student.shape[1]} heads and the teacher's {teacher.shape[1]}; expected as many. token_relations "
            "compares layers of any width, such as those of the values."
        )
    _check_same_tokens(student, teacher)
    return student, teacher


def _with_heads(side: str, attention: Tensor) -> Tensor:
    maps = upcast(attention)
    maps = maps[:, None] if maps.ndim == 3 else maps
    if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
        raise ShapeError(
            f"the {side}'s layer has shape {tuple(attention.shape)}; expected the attention of tokens to each other, "
            "(batch, heads, tokens, tokens)."
        )
    return maps


def _check_same_tokens(student: Tensor, teacher: Tensor) -> None:
    if student.shape[:1] != teacher.shape[:1] or student.shape[-2] != teacher.shape[-2]:
        raise ShapeError(
            f"the student has {student.shape[-2]} tokens in {len(student)} rows and the teacher {teacher.shape[-2]} in {len(teacher)}; "
            "expected the same tokens for both."
        )


def _relations(hidden: Tensor, tokens: Tensor | None, heads: int) -> Tensor:
    """(batch, heads, tokens, tokens) log-probabilities."""
    each = hidden.reshape(*hidden.shape[:2], heads, -1).transpose(1, 2)
    scores: Tensor = each @ each.transpose(-1, -2) / each.shape[-1] ** 0.5
    if tokens is not None:
        # A large negative number: a row without tokens would have nothing but -inf, and its gradient would be NaN.
        scores = scores.masked_fill(~tokens[:, None, None, :], torch.finfo(scores.dtype).min / 2)
    return scores.log_softmax(dim=-1)
