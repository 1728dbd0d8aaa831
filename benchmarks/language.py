"""A language model of bytes, as in examples/language.py: an epoch on recorded answers compared with one that asks its teacher.

The teachers are untrained, because their answers do not affect the time: that of the example, of a million weights, and a larger one.
Recording is compared with a bare loop over the same teacher that takes the same 16 most probable bytes and the logarithm of the sum.
--quick takes a few windows.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import ratio
from torch import nn
from torch.nn import functional

import tutelage as tl

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from language import BOTH, BYTES, LENGTH, TOP, WHOLE, Reader

BATCH = 64
LARGER = (512, 6)
"""Width and layers of a teacher of 19 million weights."""


def live(student: nn.Module, teacher: nn.Module, ids: torch.Tensor) -> None:
    """An epoch as in tutorials: the teacher is asked in every step, and its whole distribution is learnt."""
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3)
    student.train()
    for rows in torch.randperm(len(ids)).split(BATCH):
        given = ids.index_select(0, rows)
        with torch.no_grad():
            targets = teacher(given).softmax(dim=-1)
        logits = student(given)
        soft = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(0, 1))
        hard = functional.cross_entropy(logits[:, :-1].flatten(0, 1), given[:, 1:].flatten())
        optimizer.zero_grad()
        (0.9 * soft + 0.1 * hard).backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()


def recorded(student: nn.Module, answers: tl.SoftLabels, rows: dict[str, np.ndarray]) -> None:
    """The same epoch with `TorchStudent.fit` and the recorded answers, with all that it does before and after it."""
    tl.TorchStudent(student, BOTH, classes=range(BYTES), positions="tokens").fit(
        rows,
        answers,
        tl.training.next_tokens(rows),
        epochs=1,
        batch_size=BATCH,
        optimizer=partial(torch.optim.AdamW, lr=1e-3),
        clip_norm=1.0,
    )


def bare_recording(teacher: nn.Module, ids: torch.Tensor) -> None:
    """The most probable bytes and the logarithm of the sum of all, of every position, without a file."""
    with torch.inference_mode():
        for given in ids.split(BATCH):
            logits = teacher(given)
            logits.topk(TOP, dim=-1)
            logits.logsumexp(dim=-1)


def fresh(train: Callable[..., None], *given: Any) -> None:
    """Train a student of the example that nothing has trained yet."""
    train(Reader(*WHOLE.student), *given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    windows, rounds = (64, 2) if quick else (256, 5)
    rows = {"input_ids": np.random.default_rng(0).integers(BYTES, size=(windows, LENGTH))}
    ids = torch.from_numpy(rows["input_ids"])
    for shape in (WHOLE.teacher, LARGER):
        torch.manual_seed(0)
        teacher = Reader(*shape).eval()
        weights = sum(weight.numel() for weight in teacher.parameters())
        print(f"teacher of {weights:,} weights, student of {sum(weight.numel() for weight in Reader(*WHOLE.student).parameters()):,}")
        asked = tl.as_teacher(teacher, classes=range(BYTES), positions="tokens", batch_size=BATCH)
        with tempfile.TemporaryDirectory() as folder:
            places = (f"{folder}/{number}" for number in count())
            record = partial(tl.record, asked, rows, top_k=TOP, dtype="float16")
            answers = record(next(places))
            found = ratio(
                partial(fresh, live, teacher, ids),
                partial(fresh, recorded, answers, rows),
                rounds=rounds,
            )
            print(f"an epoch, asking the teacher in every step / on recorded answers: {found}; target at least 20", flush=True)
            found = ratio(lambda record=record, places=places: record(next(places)), partial(bare_recording, teacher, ids), rounds=rounds)
        print(f"recording the {TOP} most probable / a bare loop: {found}; target at most 1.5", flush=True)


if __name__ == "__main__":
    main()
