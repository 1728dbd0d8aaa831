"""Steps of several batches, trainings that end within an epoch, and trainings that are lengthened."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tutelage as tl
from tutelage.core.errors import BadInput, LabelMismatch
from tutelage.training.settings import one_cycle

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(37, 4)).astype(np.float32)
Y = RNG.integers(0, 3, 37)
TEACHER = tl.as_teacher(nn.Linear(4, 3), classes=[0, 1, 2])
LENGTHS = RNG.integers(1, 9, 37)
MASK = (np.arange(8) < LENGTHS[:, None]).astype(np.int64)
TEXTS = {"input_ids": RNG.integers(1, 20, (37, 8)) * MASK, "attention_mask": MASK}
TAGS = [np.where(RNG.random(length) < 0.3, -100, RNG.integers(0, 3, length)) for length in LENGTHS]
MIXED = 0.5 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.5 * tl.losses.hard_cross_entropy()


class Tagger(nn.Module):
    """Tokens to logits; each token sees the mean of those that count."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 6), nn.Linear(12, 3)

    def forward(self, input_ids, attention_mask):
        hidden = self.embed(input_ids)
        mean = (hidden * attention_mask[..., None]).sum(1) / attention_mask.sum(1, keepdim=True).clamp_min(1)
        return self.head(torch.cat([hidden, mean[:, None].expand_as(hidden)], dim=-1))


def weights_of(student):
    return torch.cat([value.flatten() for value in student.network.state_dict().values()])


def of_rows(objective=MIXED, x=ROWS, y=Y, **training):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 3))
    return tl.TorchStudent(network, objective, classes=[0, 1, 2]).fit(x, TEACHER, y, threads=1, **training)


def of_tokens(**training):
    torch.manual_seed(2)
    teacher = tl.as_teacher(Tagger(), classes=[0, 1, 2], positions="tokens")
    torch.manual_seed(1)
    return tl.TorchStudent(Tagger(), MIXED).fit(TEXTS, teacher, TAGS, threads=1, **training)


SETTINGS = {
    "schedule": one_cycle,
    "optimizer": partial(torch.optim.SGD, lr=0.5, momentum=0.9),
    "clip_norm": 0.3,
    "average": 0.7,
    "epochs": 3,
}


@pytest.mark.parametrize("train", [of_rows, of_tokens])
@pytest.mark.parametrize("more", [{}, {"sample_weight": RNG.uniform(0.1, 3, 37)}, {"class_weight": "balanced"}, {"drop_last": True}])
def test_a_step_of_three_batches_is_that_of_one_three_times_as_large(train, more):
    steps = [[], []]
    small = train(batch_size=4, accumulate=3, advance=lambda: steps[0].append(1), **SETTINGS, **more)
    large = train(batch_size=12, advance=lambda: steps[1].append(1), **SETTINGS, **more)
    torch.testing.assert_close(weights_of(small), weights_of(large), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(small.fit_.losses, large.fit_.losses, rtol=1e-5)
    assert len(steps[0]) == len(steps[1]) == 9
    assert not torch.allclose(weights_of(train(batch_size=4, **SETTINGS, **more)), weights_of(large), atol=1e-3)


def test_batches_of_one_row_are_added_up_as_well():
    one, all_at_once = (of_rows(batch_size=size, accumulate=36 // size, epochs=2) for size in (1, 36))
    torch.testing.assert_close(weights_of(one), weights_of(all_at_once), rtol=1e-4, atol=1e-5)


def test_a_loader_gives_the_batches_of_a_step():
    data = TensorDataset(torch.from_numpy(ROWS), torch.from_numpy(Y))
    loaders = [DataLoader(data, batch_size=size, shuffle=True, drop_last=True) for size in (4, 12)]
    small, large = (of_rows(x=loader, y=None, accumulate=count, epochs=2) for loader, count in zip(loaders, (3, 1), strict=True))
    torch.testing.assert_close(weights_of(small), weights_of(large), rtol=1e-4, atol=1e-6)


def test_terms_that_relate_the_rows_of_a_step_are_refused():
    with pytest.raises(
        BadInput, match="dist relates the rows of a step to each other, and accumulate=2 computes them in that many batches"
    ):
        of_rows(tl.losses.dist(), accumulate=2)


class Stopped(Exception):
    pass


def stopping(after):
    def advance():
        advance.taken += 1
        if advance.taken == after:
            raise Stopped

    advance.taken = 0
    return advance


@pytest.mark.parametrize("train", [of_rows, of_tokens])
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_an_interrupted_training_with_steps_of_several_batches_resumes_to_the_same_bits(tmp_path, train, stop):
    settings = {"batch_size": 4, "accumulate": 3, "max_steps": 7, "schedule": one_cycle, "average": 0.9}
    alone = train(**settings)
    with pytest.raises(Stopped):
        train(**settings, checkpoints=tmp_path, checkpoint_steps=1, advance=stopping(stop))
    resumed = train(**settings, checkpoints=tmp_path, checkpoint_steps=1)
    assert torch.equal(weights_of(resumed), weights_of(alone))
    assert resumed.fit_.losses.tolist() == alone.fit_.losses.tolist()


def test_a_training_ends_after_its_steps_and_its_schedule_is_laid_out_for_them():
    rates, steps, reports = [], [], []

    def schedule(optimizer, count):
        steps.append(count)
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rates.append(step) or 1.0)

    fit = of_rows(batch_size=12, max_steps=5, schedule=schedule, callbacks=[reports.append], validation=(ROWS, Y)).fit_
    assert steps == [5]
    assert rates[-1] == 5
    assert [report.epoch for report in reports] == [1, 2]
    assert fit.scores.shape == (2, 1)
    assert len(of_rows(batch_size=12, max_steps=5, epochs=1).fit_.losses) == 1
    assert len(of_rows(batch_size=12, max_steps=50, epochs=2).fit_.losses) == 2
    assert len(of_rows(batch_size=12, max_steps=6, epochs=30).fit_.losses) == 2


@pytest.mark.parametrize(
    ("first", "second"), [({"max_steps": 5}, {"max_steps": 8}), ({"max_steps": 5}, {"epochs": 3}), ({"epochs": 1}, {"max_steps": 8})]
)
def test_a_lengthened_training_is_the_long_one(tmp_path, first, second):
    shared = {"batch_size": 12, "validation": (ROWS, Y), "patience": 9}
    alone = of_rows(**shared, **second)
    short = of_rows(**shared, **first, checkpoints=tmp_path)
    again = of_rows(**shared, **first, checkpoints=tmp_path)
    assert torch.equal(weights_of(short), weights_of(again))
    assert again.fit_.scores.tolist() == short.fit_.scores.tolist()
    longer = of_rows(**shared, **second, checkpoints=tmp_path)
    assert torch.equal(weights_of(longer), weights_of(alone))
    assert longer.fit_.scores.tolist() == alone.fit_.scores.tolist()
    with pytest.raises(LabelMismatch, match=r"holds a training (after step|in its epoch) \d+, and \d are requested"):
        of_rows(**shared, **first, checkpoints=tmp_path)


@pytest.mark.parametrize(
    ("more", "named"),
    [({"schedule": one_cycle}, "epochs=1, and 2"), ({"objective": tl.losses.linear(1.0, 0.1) * MIXED}, "epochs=1, and 2")],
)
def test_a_training_whose_schedule_was_laid_out_for_its_length_is_not_lengthened(tmp_path, more, named):
    of_rows(batch_size=12, epochs=1, checkpoints=tmp_path, **more)
    with pytest.raises(
        LabelMismatch, match=f"holds a training whose schedules were laid out for {named} are requested: from its first step"
    ):
        of_rows(batch_size=12, epochs=2, checkpoints=tmp_path, **more)


def test_rows_that_fill_no_step_are_left_out_others_in_each_epoch():
    seen = []

    class Noting(nn.Linear):
        def forward(self, inputs):
            if self.training:
                seen.append(len(inputs))
            return super().forward(inputs)

    student = tl.TorchStudent(Noting(4, 3), classes=[0, 1, 2]).fit(ROWS, TEACHER, epochs=2, batch_size=5, accumulate=3, drop_last=True)
    assert seen == [5] * 12
    assert len(student.fit_.losses) == 2
    with pytest.raises(BadInput, match=r"an epoch has no step: all rows together do not fill one of 40, and drop_last=True"):
        of_rows(batch_size=40, drop_last=True)


def test_the_longest_rows_are_left_out_no_more_often_than_others():
    shown = []

    class Noting(Tagger):
        def forward(self, input_ids, attention_mask):
            if self.training:
                shown.extend(attention_mask.sum(1).tolist())
            return super().forward(input_ids, attention_mask)

    torch.manual_seed(0)
    tl.TorchStudent(Noting(), classes=[0, 1, 2], positions="tokens").fit(TEXTS, y=TAGS, epochs=40, batch_size=20, drop_last=True)
    longest = int(LENGTHS.max())
    assert shown.count(longest) == pytest.approx(40 * (longest == LENGTHS).sum() * 20 / 37, rel=0.25)
    with pytest.raises(BadInput, match="drop_last=True, and rows of different lengths without an attention mask share no batch"):
        texts = {"input": [list(range(1, length + 1)) for length in LENGTHS]}
        tl.TorchStudent(nn.EmbeddingBag(20, 3), classes=[0, 1, 2]).fit(texts, y=Y, drop_last=True)
