import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.functional.attention import attention_maps, attention_scores, token_relations

RNG = torch.Generator().manual_seed(0)
S, T = (torch.randn(3, 2, 5, 5, generator=RNG, dtype=torch.float64).softmax(-1) for _ in range(2))
NARROW, WIDE = torch.randn(3, 5, 4, generator=RNG, dtype=torch.float64), torch.randn(3, 5, 6, generator=RNG, dtype=torch.float64)
COUNTS = torch.arange(5) < torch.tensor([5, 3, 1])[:, None]


def test_attention_is_compared_as_in_the_paper():
    expected = torch.nn.functional.kl_div(S.log(), T, reduction="none").sum(-1).mean(1)
    torch.testing.assert_close(attention_maps(S, T), expected)
    torch.testing.assert_close(attention_maps(S[:, 0], T[:, 0]), attention_maps(S[:, :1], T[:, :1]))
    torch.testing.assert_close(attention_maps(T, T), torch.zeros(3, 5).double())


def test_relations_are_those_of_minilm():
    def relations(values, heads):
        each = values.view(3, 5, heads, -1).transpose(1, 2)
        return (each @ each.transpose(-1, -2) / each.shape[-1] ** 0.5).softmax(-1)

    expected = torch.nn.functional.kl_div(relations(NARROW, 2).log(), relations(WIDE, 2), reduction="none").sum(-1).mean(1)
    torch.testing.assert_close(token_relations(NARROW, WIDE, heads=2), expected)


def test_the_gradients_match_finite_differences(assert_differentiable):
    assert_differentiable(lambda s: attention_maps(s.softmax(-1), T), torch.randn(3, 2, 5, 5, dtype=torch.float64))
    assert_differentiable(lambda s: token_relations(s, WIDE, COUNTS, heads=2)[COUNTS], NARROW)


def test_attention_of_zero_and_rows_without_tokens_have_finite_gradients():
    certain = torch.zeros(1, 1, 2, 2)
    certain[..., 0] = 1
    student = certain.flip(-1).requires_grad_()
    attention_maps(student, certain).sum().backward()
    assert student.grad.isfinite().all()
    hidden = torch.randn(2, 3, 4, requires_grad=True)
    token_relations(hidden, torch.randn(2, 3, 4), torch.tensor([[True, True, False], [False] * 3])).sum().backward()
    assert hidden.grad.isfinite().all()


def test_tokens_that_do_not_count_change_nothing():
    longer = [torch.cat([hidden, torch.full((3, 2, hidden.shape[2]), 7.0)], dim=1) for hidden in (NARROW, WIDE)]
    counts = torch.cat([COUNTS, torch.zeros(3, 2, dtype=torch.bool)], dim=1)
    padded = token_relations(*longer, counts, heads=2)[:, :5]
    torch.testing.assert_close(padded[COUNTS], token_relations(NARROW, WIDE, COUNTS, heads=2)[COUNTS])
    alone = token_relations(NARROW[1:2, :3], WIDE[1:2, :3], heads=2)
    torch.testing.assert_close(padded[1:2, :3], alone)


def test_half_precision_is_computed_in_float32():
    assert token_relations(NARROW.half(), WIDE.half()).dtype == attention_maps(S.half(), T.half()).dtype == torch.float32


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda: attention_maps(S[:, :1], T), "attention has 1 heads and the teacher's 2; expected as many. token_relations"),
        (lambda: attention_maps(S[:, :, :4, :4], T), "the student has 4 tokens in 3 rows and the teacher 5 in 3"),
        (lambda: attention_maps(S[:, :, :4], T), r"shape \(3, 2, 4, 5\); expected the attention of tokens to each other"),
        (lambda: attention_maps(NARROW[0], T), r"shape \(5, 4\); expected the attention"),
        (lambda: token_relations(NARROW, WIDE, heads=4), "the teacher's layer has 6 units, which 4 relation heads do not divide"),
        (lambda: token_relations(NARROW[:, 0], WIDE), r"the student's layer has shape \(3, 4\); expected \(batch, tokens, units\)"),
        (lambda: token_relations(NARROW[:, :2], WIDE), "the student has 2 tokens in 3 rows and the teacher 5"),
        (lambda: token_relations(NARROW[:2], WIDE), "hidden layers of 2 and 3 rows"),
    ],
)
def test_layers_that_do_not_fit_are_refused(compute, message):
    with pytest.raises(ShapeError, match=message):
        compute()


def test_scores_are_compared_as_in_tinybert():
    student, teacher = (torch.randn(3, 2, 5, 5, generator=RNG, dtype=torch.float64) for _ in range(2))
    torch.testing.assert_close(attention_scores(student, teacher).mean(), torch.nn.functional.mse_loss(student, teacher))
    torch.testing.assert_close(attention_scores(student[:, 0], teacher[:, 0]), attention_scores(student[:, :1], teacher[:, :1]))
    masked = [scores.masked_fill(~COUNTS[:, None, None], -10_000.0) for scores in (student, teacher)]
    torch.testing.assert_close(attention_scores(*masked, COUNTS), attention_scores(student, teacher, COUNTS))
    of_row = attention_scores(student[1:2, :, :3, :3], teacher[1:2, :, :3, :3])
    torch.testing.assert_close(attention_scores(student, teacher, COUNTS)[1:2, :3], of_row)
    assert attention_scores(student.half(), teacher.half()).dtype == torch.float32
    none = attention_scores(student.requires_grad_(), teacher, torch.zeros(3, 5, dtype=torch.bool)).sum()
    none.backward()
    assert (none.item(), student.grad.abs().max().item()) == (0.0, 0.0)


def test_the_gradient_of_scores_matches_finite_differences(assert_differentiable):
    assert_differentiable(lambda s: attention_scores(s, T, COUNTS)[COUNTS], torch.randn(3, 2, 5, 5, dtype=torch.float64))
    with pytest.raises(ShapeError, match="attention has 1 heads and the teacher's 2"):
        attention_scores(S[:, :1], T)


def test_attention_of_a_student_in_half_precision_has_a_finite_gradient():
    generator = torch.Generator().manual_seed(0)
    scores = (4 * torch.randn(2, 3, 5, 5, generator=generator)).half().requires_grad_()
    teacher = torch.softmax(4 * torch.randn(2, 3, 5, 5, generator=generator), dim=-1)
    attention_maps(torch.softmax(scores, dim=-1), teacher).sum().backward()
    assert torch.isfinite(scores.grad).all()
    assert scores.grad.abs().max() > 0.1
