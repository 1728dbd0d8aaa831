import dataclasses

import pytest
import torch

from tutelage.core.errors import ShapeError
from tutelage.losses.signals import Losses, Signals


def test_everything_but_the_students_answers_is_optional():
    signals = Signals(torch.zeros(2, 3))
    optional = {name: getattr(signals, name) for name in ("teacher_answers", "labels", "index", "modules")}
    assert set(optional.values()) == {None}
    assert signals.student_hidden == signals.teacher_hidden == signals.prepared == {}
    with pytest.raises(dataclasses.FrozenInstanceError):
        signals.labels = torch.zeros(2)


def test_layers_are_read_without_what_does_not_count_or_at_positions():
    layer, counts = torch.ones(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    signals = Signals(torch.zeros(2, 3), student_hidden={"body": layer, "pooled": layer[:, 0]}, tokens=counts)
    assert signals.layer("student", "body").sum(dim=(1, 2)).tolist() == [8.0, 4.0]
    assert signals.layer("student", "pooled").shape == (2, 4)
    assert signals.layer("teacher", "body") is None
    losses = torch.tensor([[1.0, 3.0, 9.0], [5.0, 9.0, 9.0]])
    assert signals.of_examples(losses).tolist() == [2.0, 5.0]
    none_count = dataclasses.replace(signals, tokens=torch.zeros(2, 3, dtype=torch.bool))
    assert none_count.of_examples(losses).tolist() == [0.0, 0.0]
    assert dataclasses.replace(signals, tokens=None).of_examples(losses).tolist() == pytest.approx([13 / 3, 23 / 3])
    taken = dataclasses.replace(signals, places=counts)
    assert taken.layer("student", "body").shape == (3, 4)
    assert taken.layer("student", "body", whole_rows=True).shape == (2, 3, 4)
    assert taken.of_examples(losses).tolist() == [1.0, 3.0, 5.0]
    assert taken.of_examples(losses[:, 0]).tolist() == [1.0, 1.0, 5.0]
    assert taken.layer("student", "pooled").shape == (2, 4)
    other = dataclasses.replace(taken, student_hidden={"body": layer[:, :2]})
    with pytest.raises(ShapeError, match=r"the student's layer 'body' has a number of tokens of 2, and the answers have 3"):
        other.layer("student", "body")


def test_places_of_a_smaller_map_count_by_their_share_of_pixels():
    places = torch.ones(2, 2, 4, dtype=torch.bool)
    places[0, :, 2:], places[0, 0, 1] = False, False  # of the four pixels on the left, three; of those on the right, none
    signals = Signals(torch.zeros(11, 2), places=places)
    losses = torch.tensor([[[1.0, 50.0]], [[2.0, 4.0]]])
    assert signals.of_examples(losses).tolist() == [1.0] * 3 + [3.0] * 8
    larger = torch.arange(8.0).reshape(1, 2, 4).repeat(2, 1, 1).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert signals.of_examples(larger).tolist() == pytest.approx([(0 + 4 + 5) / 3] * 3 + [3.5] * 8)
    none = dataclasses.replace(signals, places=torch.zeros(2, 2, 4, dtype=torch.bool))
    assert none.of_examples(losses).shape == (0,)


def test_losses_unpack_into_total_and_terms():
    total, terms = Losses(torch.ones(2), {"a": torch.ones(2)})
    assert torch.equal(total, terms["a"])
