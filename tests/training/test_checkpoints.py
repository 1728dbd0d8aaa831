from collections import Counter

import pytest
import torch
from torch import nn

from tutelage.core import torch_runtime
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch, StaleCache
from tutelage.training import checkpoints
from tutelage.training.checkpoints import FILE, Checkpoints
from tutelage.training.feeding.feeds import TensorFeed
from tutelage.training.loop import train
from tutelage.training.state import LoopSettings
from tutelage.training.validation import Validation

INPUTS = torch.linspace(-1, 1, 60).reshape(20, 3)
LABELS = (INPUTS[:, 0] > 0).long()


class Stopped(Exception):
    pass


def training(checkpoint, *, stop_at=None, schedule="cycle", epochs=5):
    """A training with dropout, momentum and a schedule, interrupted after `stop_at` steps."""
    with torch_runtime.seeded(7):
        network = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.3), nn.BatchNorm1d(16), nn.Linear(16, 2))
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
        schedules = torch.optim.lr_scheduler
        schedule = {
            "cycle": lambda: schedules.OneCycleLR(optimizer, 0.02, total_steps=4 * epochs),
            "steps": lambda: schedules.MultiStepLR(optimizer, [3, 9]),
            "lambda": lambda: schedules.LambdaLR(optimizer, lambda step: 1 / (1 + step)),
            "chain": lambda: schedules.SequentialLR(
                optimizer, [schedules.LinearLR(optimizer, total_iters=4), schedules.CosineAnnealingLR(optimizer, 16)], milestones=[4]
            ),
        }[schedule]()
        steps = []

        def batch_loss(batch):
            if len(steps) == stop_at:
                raise Stopped
            steps.append(1)
            return nn.functional.cross_entropy(network(batch.inputs), LABELS[batch.rows], reduction="none")

        loop_settings = LoopSettings(optimizer, epochs, 6, schedule=schedule, validation=Validation(INPUTS, LABELS, by="loss"))
        done = train(network, batch_loss, TensorFeed(INPUTS), loop_settings, checkpoints=checkpoint)
    return done, network.state_dict(), len(steps)


@pytest.mark.exhaustive(every=3)
@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cycle", "steps", "lambda", "chain"])
@pytest.mark.parametrize("every", [0, 1, 3])
def test_an_interrupted_training_resumes_to_the_same_bits(tmp_path, every, schedule):
    alone, weights, _ = training(None, schedule=schedule)
    for stop_at in (0, 2, 4, 9, 19):
        checkpoint = Checkpoints(tmp_path / str(stop_at), {"seed": 7}, every=every)
        with pytest.raises(Stopped):
            training(checkpoint, stop_at=stop_at, schedule=schedule)
        done, resumed, steps = training(checkpoint, schedule=schedule)
        assert all(torch.equal(resumed[name], value) for name, value in weights.items())
        assert done.best_epoch.tolist() == alone.best_epoch.tolist()
        assert done.scores.tolist() == alone.scores.tolist()
        assert done.losses.tolist() == alone.losses.tolist()
        epochs, step = divmod(stop_at, 4)  # four steps per epoch
        saved = 4 * epochs + (step - step % every if every else 0)
        assert steps == 20 - saved


def test_a_finished_training_is_not_repeated(tmp_path):
    checkpoint = Checkpoints(tmp_path, {})
    _, weights, _ = training(checkpoint)
    _, again, steps = training(checkpoint)
    assert steps == 0
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_a_training_can_be_lengthened_and_not_shortened(tmp_path):
    _, weights, _ = training(None, schedule="steps", epochs=5)
    checkpoint = Checkpoints(tmp_path, {})
    training(checkpoint, schedule="steps", epochs=3)
    done, lengthened, steps = training(checkpoint, schedule="steps", epochs=5)
    assert (steps, len(done.losses)) == (8, 5)
    assert all(torch.equal(lengthened[name], value) for name, value in weights.items())
    with pytest.raises(LabelMismatch, match="holds a training in its epoch 5, and 4 are requested"):
        training(checkpoint, schedule="steps", epochs=4)


def test_other_initial_weights_are_reported_in_an_interrupted_training_and_refused_in_a_finished_one(tmp_path):
    with pytest.raises(Stopped):
        training(Checkpoints(tmp_path, {}, "first"), stop_at=6)
    with pytest.warns(UserWarning, match="began with other initial weights than this network has; it is continued"):
        _, resumed, steps = training(Checkpoints(tmp_path, {}, "second"))
    assert steps == 16
    assert all(torch.equal(resumed[name], value) for name, value in training(None)[1].items())
    with pytest.raises(LabelMismatch, match=r"a finished training of a network with other initial weights.*torch.manual_seed"):
        training(Checkpoints(tmp_path, {}, "third"))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    training(Checkpoints(tmp_path, {"data": "3f2a", "seed": 7}))
    with pytest.raises(LabelMismatch, match=r"of another training: its data is 3f2a, expected 91bc"):
        training(Checkpoints(tmp_path, {"data": "91bc", "seed": 7}))


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    checkpoint = Checkpoints(tmp_path, {})
    training(checkpoint)
    content = (tmp_path / FILE).read_bytes()
    monkeypatch.setattr(checkpoints, "CHECKPOINT_SCHEMA", 10)
    with pytest.raises(StaleCache, match=r"has schema 9; this version of tutelage reads 10\. Finish the training with"):
        training(checkpoint)
    monkeypatch.undo()
    for damaged in (content[:100], b"", content[:50] + b"x" + content[51:]):
        (tmp_path / FILE).write_bytes(damaged)
        with pytest.raises(DamagedFile, match=r"is not a tutelage checkpoint, or is damaged .* Delete the file"):
            training(checkpoint)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DamagedFile, match="does not fit this training"), torch_runtime.seeded(0):
        other = nn.Linear(3, 2)
        loop_settings = LoopSettings(torch.optim.SGD(other.parameters(), lr=0.1), 1, 6, validation=Validation(INPUTS, LABELS))
        train(other, lambda batch: other(batch.inputs).sum(1), TensorFeed(INPUTS), loop_settings, checkpoints=checkpoint)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CannotWrite, match="already holds other files"):
        Checkpoints(tmp_path, {})


def test_nested_values_survive_packing_and_unpacking():
    value = {"a": [1, 2.5, None, "x", True], 3: (torch.arange(3), {"deep": torch.tensor(1.0)}), "milestones": Counter({3: 1})}
    tensors = {}
    packed = checkpoints._packed(value, tensors)
    back = checkpoints._unpacked(packed, tensors)
    assert back["a"] == value["a"]
    assert torch.equal(back[3][0], value[3][0])
    assert back[3][1]["deep"].item() == 1.0
    assert isinstance(back["milestones"], Counter)
    with pytest.raises(BadInput, match="holds a function, which a checkpoint cannot hold"):
        checkpoints._packed({"rule": lambda step: step}, {})


def test_whoever_may_read_a_new_file_may_read_a_checkpoint(tmp_path):
    training(Checkpoints(tmp_path / "checkpoints", {}))
    (tmp_path / "new").touch()
    assert (tmp_path / "checkpoints" / FILE).stat().st_mode == (tmp_path / "new").stat().st_mode
