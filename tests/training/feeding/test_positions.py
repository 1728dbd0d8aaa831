import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, ShapeError
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.structures.ragged import Ragged
from tutelage.data.truth.position_truth import IGNORED
from tutelage.data.views import Affine, Views
from tutelage.losses.class_terms import hard_cross_entropy, kl_divergence, soft_cross_entropy
from tutelage.losses.hidden_terms import attention_transfer, contrastive, cosine_distance, hint, similarity_preserving
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
    with pytest.raises(ShapeError, match="row 0 of y has 1 labels, and 2 answers"):
        layout_of(answers, Ragged(np.array([0, 1, 1]), np.array([1, 2])))


def test_only_positions_that_are_learnt_are_taken_out_of_a_batch():
    answers = torch.arange(12.0).reshape(2, 3, 2)
    inputs = {"attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]])}
    batch = Batch(inputs, torch.tensor([1, 0]))
    layout = Layout(np.array([1, 3]), np.array([True, True, False, True]))
    taken, flat, places = LearntPositions("tokens", layout).of(batch, answers)
    assert flat[:, 0].tolist() == [0, 4, 6]
    assert places.tolist() == [[True, False, True], [True, False, False]]
    assert taken.places is not None
    assert taken.places.tolist() == [1, 3, 0]
    with pytest.raises(ShapeError, match="answers 4 positions of 2 rows, and the answers or the ground truth have 2"):
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


def by_truth(seed: int = 1) -> TorchStudent:
    return TorchStudent(segmenter(seed), classes=["back", "front"], positions="pixels")


NAMES = np.where(PICTURES[:, 0] > 0, "front", "back").astype(object)
ALL_IGNORED = np.full((24, 6, 5), IGNORED)


def test_a_batch_without_a_learnt_position_costs_nothing():
    truth = NAMES.copy()
    truth[4:] = None
    still = {"epochs": 1, "batch_size": 4, "optimizer": lambda weights: torch.optim.SGD(weights, 0.0)}
    alone = by_truth().fit(PICTURES[:4], y=truth[:4], **still)
    assert by_truth().fit(PICTURES, y=truth, **still).fit_.losses[0] == pytest.approx(alone.fit_.losses[0], rel=1e-5)


def test_a_training_without_a_learnt_position_is_refused():
    with pytest.raises(BadInput, match="no position of the training rows counts: all 720 labels are -100 or None"):
        by_truth().fit(PICTURES, y=ALL_IGNORED, epochs=1)
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    with pytest.raises(BadInput, match="no position of the training rows counts"):
        TorchStudent(segmenter(1)).fit(PICTURES, teacher, ALL_IGNORED, epochs=1)
    with pytest.raises(BadInput, match="no position of the validation rows counts: all 720"):
        by_truth().fit(PICTURES, y=NAMES, validation=(PICTURES, ALL_IGNORED), epochs=1)
    sparse = ALL_IGNORED.astype(object)
    sparse[0, 0, 0] = "front"
    with pytest.raises(BadInput, match=r"no position of the (training|validation) rows counts"):
        by_truth().fit(PICTURES, y=sparse, validation=0.5, epochs=1)


def test_pictures_on_their_side_are_refused():
    turned = NAMES.transpose(0, 2, 1)
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    with pytest.raises(ShapeError, match=r"height 6 and width 5, and the answers or the ground truth have height 5 and width 6.*transpose"):
        by_truth().fit(PICTURES, y=turned, epochs=1)
    with pytest.raises(ShapeError, match=r"row 0 of y has shape \(5, 6\), and answers of height 6 and width 5"):
        TorchStudent(segmenter(1)).fit(PICTURES, teacher, turned, epochs=1)
    codes = torch.from_numpy((turned == "front").astype(np.int64))
    paired = TensorDataset(torch.from_numpy(PICTURES), codes)
    for rows in (paired, DataLoader(paired, batch_size=8)):
        with pytest.raises(ShapeError, match=r"have height 5 and width 6.*transpose"):
            TorchStudent(segmenter(1), classes=[0, 1], positions="pixels").fit(rows, epochs=1)
    for validation in ((PICTURES, turned), (PICTURES, turned, teacher)):
        with pytest.raises(ShapeError, match="height 6 and width 5"):
            by_truth().fit(PICTURES, y=NAMES, validation=validation, epochs=1)
    with pytest.raises(ShapeError, match="height 5 and width 6"):
        TorchStudent(segmenter(1)).fit(PICTURES, teacher, epochs=1, validation=(PICTURES.transpose(0, 1, 3, 2), NAMES))


def test_truth_of_one_channel_is_the_truth():
    plain = by_truth().fit(PICTURES, y=NAMES, epochs=1)
    for truth in (NAMES[:, None], NAMES[..., None]):
        assert by_truth().fit(PICTURES, y=truth, epochs=1).fit_.losses.tolist() == plain.fit_.losses.tolist()


class Coarse(nn.Module):
    """Answers of half the size, as a segmenter of Hugging Face gives them; `full` enlarges them."""

    def __init__(self, width: int = 4, *, full: bool = True, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Conv2d(width, 2, 1)
        self.full = full

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        hidden = self.body(pictures)
        answers = self.head(hidden) + 0 * self.pool(hidden).mean()
        return nn.functional.interpolate(answers, size=pictures.shape[2:]) if self.full else answers


def test_answers_of_another_size_say_how_to_enlarge_them():
    student = TorchStudent(Coarse(full=False), classes=["back", "front"], positions="pixels")
    with pytest.raises(ShapeError, match=r"height 3 and width 3, .*interpolate\(returned.logits, size=\(6, 5\)\)"):
        student.fit(PICTURES, y=NAMES, epochs=1)
    teacher = record(as_teacher(Coarse(full=False), classes=["back", "front"], positions="pixels"), PICTURES)
    with pytest.raises(ShapeError, match=r"interpolate\(returned.logits, size=\(6, 5\)\)"):
        TorchStudent(segmenter(1)).fit(PICTURES, teacher, NAMES, epochs=1)


@pytest.mark.parametrize("term", [hint("body"), cosine_distance("body"), attention_transfer("body"), similarity_preserving("pool")])
def test_layers_of_another_size_are_matched_where_pixels_are_learnt(term):
    """Pictures of which nothing is learnt change no loss."""
    teacher = as_teacher(Coarse(8), classes=["back", "front"], positions="pixels")
    truth = NAMES.copy()
    truth[:, :, 3:] = None
    truth[6:] = None
    objective = soft_cross_entropy() + term

    def loss(rows: slice) -> float:
        fitted = TorchStudent(Coarse(4, seed=1), objective).fit(PICTURES[rows], teacher, truth[rows], epochs=1, batch_size=24)
        return float(fitted.fit_.losses[0])

    if not term.terms[0].relates_rows:
        assert loss(slice(None)) == pytest.approx(loss(slice(6)), rel=1e-5)
    assert np.isfinite(loss(slice(None)))


def test_a_hint_at_another_size_is_the_mean_over_the_pixels_that_are_learnt():
    even = np.random.default_rng(1).normal(size=(8, 1, 6, 8)).astype(np.float32)
    learnt = np.random.default_rng(2).random((8, 6, 8)) < 0.6
    truth = np.full((8, 6, 8), "back", dtype=object)
    truth[~learnt] = None
    own, other = Coarse(4, seed=1), Coarse(4)
    with torch.no_grad():
        squares = (own.body(torch.from_numpy(even)) - other.body(torch.from_numpy(even))).square().mean(1, keepdim=True)
    expected = nn.functional.interpolate(squares, size=(6, 8))[:, 0].numpy()[learnt].mean()
    teacher = as_teacher(other, classes=["back", "front"], positions="pixels")
    fitted = TorchStudent(own, hint("body") + 0.0 * hard_cross_entropy()).fit(even, teacher, truth, epochs=1, batch_size=8)
    assert fitted.fit_.losses[0] == pytest.approx(expected, rel=1e-5)


def test_relations_between_positions_need_a_layer_of_their_size():
    teacher = as_teacher(Coarse(8), classes=["back", "front"], positions="pixels")
    with pytest.raises(ShapeError, match="the student's layer 'body' has maps of height and width 3 x 3, and the answers have 6 x 5"):
        TorchStudent(Coarse(4), similarity_preserving("body") + soft_cross_entropy()).fit(PICTURES, teacher, epochs=1)
    with pytest.raises(BadInput, match="contrastive compares rows"):
        TorchStudent(Coarse(4), contrastive("pool") + soft_cross_entropy()).fit(PICTURES, teacher, epochs=1)


def test_answers_of_another_size_are_refused():
    labels = record(as_teacher(segmenter(0), classes=["back", "front"], positions="pixels"), PICTURES)
    smaller = nn.Conv2d(1, 2, 3)
    with pytest.raises(ShapeError, match="expected the same tokens or pixels"):
        TorchStudent(smaller).fit(PICTURES, labels, epochs=1)
    with pytest.raises(ShapeError, match=r"expected \(batch, 2, height, width\)"):
        TorchStudent(nn.Sequential(nn.Flatten(), nn.Linear(30, 2))).fit(PICTURES, labels, epochs=1)


class Noise:
    """Moves no position."""

    numbers = 4

    def __call__(self, rows, numbers):
        return np.asarray(rows + numbers[:, None, :], np.float32)


@pytest.mark.parametrize(
    ("rows", "augment", "layer", "positions"),
    [
        (PICTURES, Affine(shift=2, degrees=90), nn.Conv2d(1, 3, 3, padding=1), "pixels"),
        (PICTURES[:, 0, :, :4].copy(), Noise(), nn.Linear(4, 3), "tokens"),
    ],
)
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("more", [{"batch_size": 24}, {"batch_size": 5, "accumulate": 2, "class_weight": {"a": 4}}])
def test_each_epoch_learns_the_answers_to_the_view_that_it_shows(rows, augment, layer, positions, recorded, more):
    teacher = as_teacher(layer, classes=["a", "b", "c"], positions=positions)
    views = Views(rows, augment, count=3, seed=1)
    student = TorchStudent(copy.deepcopy(layer), kl_divergence())
    student.fit(views, record(teacher, views) if recorded else teacher, epochs=3, lr=1e-12, sample_weight=np.arange(24), **more)
    assert np.abs(student.fit_.losses).max() < 1e-6


@pytest.mark.parametrize("count", [1, 3])
def test_the_positions_of_views_take_no_ground_truth_and_select_no_epoch(count):
    views = Views(PICTURES, Affine(shift=2), count=3)
    teacher = as_teacher(segmenter(0), classes=["back", "front"], positions="pixels")
    labels, truth = record(teacher, views), np.full((24 * count, 6, 5), "back")
    with pytest.raises(BadInput, match=r"y labels the pixels of the rows, and X is Views.*leave y out.*or pass a Dataset"):
        TorchStudent(segmenter(1), soft_cross_entropy() + hard_cross_entropy()).fit(views, labels, truth, epochs=1)
    with pytest.raises(BadInput, match="the validation rows are a Views; expected an array"):
        TorchStudent(segmenter(1)).fit(PICTURES, teacher, validation=(views, None, labels), epochs=1)


@pytest.mark.parametrize(("positions", "shape"), [("pixels", (6, 5)), ("tokens", (6,))])
def test_labels_and_values_of_positions_are_predicted_as_they_are_answered(positions, shape):
    pixels = positions == "pixels"
    rows = PICTURES[:3] if pixels else PICTURES[:3, 0]

    def network(columns):
        torch.manual_seed(0)
        return nn.Conv2d(1, columns, 3, padding=1) if pixels else nn.Linear(5, columns)

    labels = TorchStudent(network(3), predict_batch_size=2)
    labels.set_form(AnswerForm("logits", "multilabel", ("a", "b", "c"), positions))
    with torch.no_grad():
        answered = labels.network(torch.from_numpy(rows)).numpy()
    expected = (answered > 0).astype(int)
    assert len(set(expected.sum(axis=1 if pixels else 2).flat)) > 1
    np.testing.assert_array_equal(labels.predict(rows), expected)
    for outputs in (1, 2):
        values = TorchStudent(network(outputs))
        values.set_form(AnswerForm("values", "regression", (), positions))
        with torch.no_grad():
            answered = values.network(torch.from_numpy(rows)).numpy()
        found = values.predict(rows)
        assert len(found) == 3
        np.testing.assert_allclose(found, answered.reshape(3, *shape) if outputs == 1 else answered, rtol=1e-5, atol=1e-6)
    gap = rows.copy()
    gap.reshape(3, -1)[2, 7] = np.nan
    for student in (labels, values):
        with pytest.raises(BadInput, match=r"to 1 of 3 rows are no numbers \(first: row 2\)"):
            student.predict(gap)
