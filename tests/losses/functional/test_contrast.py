import numpy as np
import pytest
import torch

from tutelage.core import torch_runtime
from tutelage.core.errors import LabelMismatch
from tutelage.losses.functional.contrast import ContrastiveMemory

RNG = torch.Generator().manual_seed(0)
S, T, INDEX = torch.randn(4, 3, generator=RNG), torch.randn(4, 2, 3, generator=RNG), torch.tensor([7, 0, 3, 9])


def memory(**options):
    with torch_runtime.seeded(0):
        return ContrastiveMemory(3, 6, **{"rows": 10, "embedding": 5, "negatives": 8, **options})


def loss_with(contrast, rows=slice(None), seed=1):
    with torch_runtime.seeded(seed):
        return contrast(S[rows], T[rows], INDEX[rows])


def test_the_value_matches_the_authors_formula():
    contrast = memory()
    with torch.no_grad():
        u = torch.nn.functional.normalize(contrast.embed_student(S), dim=1)
        v = torch.nn.functional.normalize(contrast.embed_teacher(T.flatten(1)), dim=1)
    with torch_runtime.seeded(1):
        drawn = torch.randint(10, (4, 8))

    def one_side(embeddings, stored):
        scores = torch.stack(
            [torch.exp(stored[torch.cat([i[None], others])] @ e / 0.07) for e, i, others in zip(embeddings, INDEX, drawn, strict=True)]
        )
        h = scores / (scores.mean() * 10)
        noise = 8 / 10
        return -(h[:, 0] / (h[:, 0] + noise)).log() - (noise / (h[:, 1:] + noise)).log().sum(1)

    expected = one_side(u, contrast.teacher_memory.clone()) + one_side(v, contrast.student_memory.clone())
    torch.testing.assert_close(loss_with(contrast), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.07, 0.004, 1e-4])
def test_the_loss_is_finite_and_right_at_any_temperature(temperature):
    contrast = memory(temperature=temperature)
    student, teacher = S.clone().requires_grad_(), T.flatten(1)
    memories = [each.double() for each in (contrast.teacher_memory.clone(), contrast.student_memory.clone())]
    with torch.no_grad():
        sides = [
            torch.nn.functional.normalize(embed(x), dim=1).double()
            for embed, x in ((contrast.embed_student, S), (contrast.embed_teacher, teacher))
        ]
    with torch_runtime.seeded(1):
        drawn = torch.randint(10, (4, 8))
    expected = torch.zeros(4, dtype=torch.float64)
    for embeddings, stored in zip(sides, memories, strict=True):
        exponents = torch.einsum("bnd,bd->bn", stored[torch.cat([INDEX[:, None], drawn], dim=1)], embeddings) / temperature
        log_h = exponents - (exponents.flatten().logsumexp(0) - np.log(36) + np.log(10))
        expected += torch.logaddexp(torch.zeros(4), np.log(0.8) - log_h[:, 0])
        expected += torch.logaddexp(torch.zeros(4, 8), log_h[:, 1:] - np.log(0.8)).sum(dim=1)
    with torch_runtime.seeded(1):
        loss = contrast(student, T, INDEX)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-4, atol=1e-4)
    loss.sum().backward()
    assert student.grad.isfinite().all()


def test_the_gradient_matches_finite_differences():
    contrast = memory().double().eval()
    loss_of = lambda s: contrast(s, T.double(), INDEX)  # noqa: E731
    with torch_runtime.seeded(1):
        loss_of(S.double())  # fixes the scales

    def loss(s):
        with torch_runtime.seeded(1):
            return loss_of(s)

    assert torch.autograd.gradcheck(loss, S.double().requires_grad_())
    assert all(parameter.requires_grad for parameter in contrast.parameters())


def test_the_memory_is_updated_in_training_mode_only():
    contrast = memory().eval()
    before = contrast.student_memory.clone()
    loss_with(contrast)
    assert torch.equal(contrast.student_memory, before)
    loss_with(contrast.train())
    u = torch.nn.functional.normalize(contrast.embed_student(S), dim=1)
    torch.testing.assert_close(contrast.student_memory[INDEX], torch.nn.functional.normalize(0.5 * before[INDEX] + 0.5 * u, dim=1))
    others = torch.tensor([1, 2, 4, 5, 6, 8])
    assert torch.equal(contrast.student_memory[others], before[others])


def test_scales_are_fixed_at_the_first_batch_and_saved_with_the_memory():
    contrast = memory()
    loss_with(contrast)
    scales = contrast.log_scales.clone()
    loss_with(contrast, seed=2)
    assert torch.equal(contrast.log_scales, scales)
    assert scales.isfinite().all()
    again = memory()
    again.load_state_dict(contrast.state_dict())
    assert torch.equal(loss_with(again.eval(), seed=3), loss_with(contrast.eval(), seed=3))


@pytest.mark.slow
def test_training_reduces_the_loss():
    contrast = memory(negatives=64)
    optimizer = torch.optim.Adam(contrast.parameters(), lr=0.05)
    losses = []
    for step in range(30):
        loss = loss_with(contrast, seed=step).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_an_index_beyond_the_memory_is_rejected():
    with pytest.raises(LabelMismatch, match="index 9 is beyond the memory bank of 9 rows"):
        loss_with(memory(rows=9))
