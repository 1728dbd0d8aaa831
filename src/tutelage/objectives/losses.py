"""Losses in torch: pure functions from logits and targets to one value per example."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutelage.core.errors import ShapeError, require

if TYPE_CHECKING:
    from torch import Tensor


def soft_cross_entropy(student_logits: Tensor, target_probs: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Cross-entropy of the student at a temperature against soft targets: -t^2 sum_c p_c log softmax(z / t)_c.

    The factor t^2 keeps the size of the gradient when the temperature changes, so that a weight beside another
    term keeps its meaning. With one-hot targets at temperature 1 this is the ordinary cross-entropy.

    Args:
        student_logits: (..., batch, classes), unnormalised, any float dtype.
        target_probs: the same shape, rows sum to one: the teacher's probabilities *at this temperature*, not logits.
        temperature: a number, or a tensor that broadcasts against (..., batch, classes), such as (copies, 1, 1).

    Returns:
        (..., batch), in nats. Not averaged; the training loop decides how to reduce.

    Raises:
        ShapeError: the two shapes differ.

    Source:
        Hinton, Vinyals, Dean 2015, section 2, arXiv 1503.02531.
    """
    torch = require("torch")
    if student_logits.shape != target_probs.shape:
        raise ShapeError(f"student logits {tuple(student_logits.shape)} and targets {tuple(target_probs.shape)} differ in shape.")
    log_probs = torch.log_softmax(student_logits / temperature, dim=-1)
    per_example: Tensor = -(target_probs * log_probs).sum(dim=-1)
    if isinstance(temperature, torch.Tensor):
        temperature = temperature.squeeze(-1)  # what scaled (..., batch, classes) now scales (..., batch)
    return per_example * temperature**2
