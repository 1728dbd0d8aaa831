import numpy as np
import pytest
import torch
from torch import nn

from tutelage.core.errors import ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.position_truth import IGNORED
from tutelage.data.structures.structured import Ragged
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.hidden_terms import hint
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.training.feeding.feeds import Batch
from tutelage.training.feeding.positions import Layout, LearntPositions, layout_of
from tutelage.training.student import TorchStudent


def test_the_layout_agrees_with_answers_and_truth():
    answers = PositionAnswers.of_rows([np.zeros((2, 3)), np.zeros((1, 3))])
    layout = layout_of(answers, Ragged(np.array([0, IGNORED, 1]), np.array([2, 1])))
    assert layout is not None
    assert layout.kept is not None
    assert layout.places(torch.tensor([1, 0])).tolist() == [2, 0, 1]
    assert layout.count(torch.tensor([0])) == 1
    assert layout_of(None, None) is None
    with pytest.raises(ShapeError, match="row 0 has 2 answers and 1 labels"):
        layout_of(answers, Ragged(np.array([0, 1, 1]), np.array([1, 2])))


def test_only_positions_that_are_learnt_are_taken_out_of_a_batch():
    answers = torch.arange(12.0).reshape(2, 3, 2)
    inputs = {"attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]])}
    batch = Batch(inputs, torch.tensor([1, 0]))
    layout = Layout(np.array([1, 3]), np.array([True, True, False, True]))
    taken, flat, of_row = LearntPositions("tokens", layout).of(batch, answers)
    assert flat[:, 0].tolist() == [0, 4, 6]
    assert of_row.tolist() == [0, 0, 1]
    assert taken.places is not None
    assert taken.places.tolist() == [1, 3, 0]
    with pytest.raises(ShapeError, match="answers 4 positions of a batch of 2 rows, and the answers or the ground truth have 2"):
        LearntPositions("tokens", Layout(np.array([1, 1]))).of(batch, answers)


PICTURES = np.random.default_rng(0).normal(size=(24, 1, 6, 5)).astype(np.float32)


def segmenter(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))


def test_pixels_are_learnt_like_rows_of_a_matrix():
    """The loss of a picture is the mean over its pixels, computed here in torch."""
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    labels = record(teacher, PICTURES)
    student = segmenter(1)
    with torch.no_grad():
        target = torch.from_numpy(PICTURES)
        expected = nn.functional.cross_entropy(student(target), segmenter(0)(target).softmax(1)).item()
    fitted = TorchStudent(student, soft_cross_entropy()).fit(PICTURES, labels, epochs=1, batch_size=24)
    assert fitted.fit_.losses[0] == pytest.approx(expected, rel=1e-5)
    assert fitted.predict(PICTURES)[0].shape == (6, 5)
    assert fitted.predict_proba(PICTURES)[0].sum(axis=0) == pytest.approx(np.ones((6, 5)), abs=1e-6)


def test_pixels_that_are_ignored_count_for_nothing_in_every_term():
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    labels = record(teacher, PICTURES)
    truth = np.where(PICTURES[:, 0] > 0, "front", "back").astype(object)
    truth[:, :3] = IGNORED
    objective = 0.5 * soft_cross_entropy() + 0.5 * hard_cross_entropy()
    student = segmenter(1)
    with torch.no_grad():
        rows = torch.from_numpy(PICTURES)
        logits, soft = student(rows)[:, :, 3:], segmenter(0)(rows).softmax(1)[:, :, 3:]
        hard = torch.from_numpy((PICTURES[:, 0] > 0).astype(np.int64))[:, 3:]
        expected = (nn.functional.cross_entropy(logits, soft) + nn.functional.cross_entropy(logits, hard)).item() / 2
    fitted = TorchStudent(student, objective).fit(PICTURES, labels, truth, epochs=1, batch_size=24)
    assert fitted.fit_.losses[0] == pytest.approx(expected, rel=1e-5)


def test_weights_of_rows_weigh_their_positions():
    teacher = record(as_teacher(segmenter(0), classes=["back", "front"], positions="pixels"), PICTURES)
    twice = record(as_teacher(segmenter(0), classes=["back", "front"], positions="pixels"), np.concatenate([PICTURES, PICTURES[:8]]))
    weighted = TorchStudent(segmenter(1)).fit(PICTURES, teacher, epochs=1, batch_size=24, sample_weight=[2] * 8 + [1] * 16)
    repeated = TorchStudent(segmenter(1)).fit(np.concatenate([PICTURES, PICTURES[:8]]), twice, epochs=1, batch_size=32)
    assert weighted.fit_.losses[0] == pytest.approx(repeated.fit_.losses[0], rel=1e-5)


def test_layers_with_positions_are_matched_where_they_are_learnt():
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    truth = np.full((24, 6, 5), IGNORED, dtype=object)
    truth[:, 0, 0] = "front"
    objective = hint("0", "0") + hard_cross_entropy()
    fitted = TorchStudent(segmenter(1), objective).fit(PICTURES, teacher, truth, epochs=1, batch_size=24)
    assert np.isfinite(fitted.fit_.losses).all()


def test_every_batch_without_a_learnt_position_costs_nothing():
    truth = np.full((24, 6, 5), IGNORED)
    student = TorchStudent(segmenter(1), classes=["back", "front"], positions="pixels").fit(PICTURES, y=truth, epochs=2)
    assert student.fit_.losses.tolist() == [0.0, 0.0]


def test_answers_of_another_size_are_refused():
    labels = record(as_teacher(segmenter(0), classes=["back", "front"], positions="pixels"), PICTURES)
    smaller = nn.Conv2d(1, 2, 3)
    with pytest.raises(ShapeError, match="expected the same tokens or pixels"):
        TorchStudent(smaller).fit(PICTURES, labels, epochs=1)
    with pytest.raises(ShapeError, match=r"expected \(batch, 2, height, width\)"):
        TorchStudent(nn.Sequential(nn.Flatten(), nn.Linear(30, 2))).fit(PICTURES, labels, epochs=1)
