"""Distil a small language model of bytes, from its recorded top answers: python language.py [--quick]

The text is what Python packages say of themselves: the documentation of NumPy, SciPy and scikit-learn. A teacher of about a million weights
reads it first; its 16 most probable next bytes of every position are recorded; a student of a tenth of its weights learns from them, and
the same student learns from the text alone. Both are measured on files that neither has seen: cross-entropy and perplexity per byte, with
intervals over windows of text. --quick reads a little of the text for a moment, and shows the way rather than a result.
"""

from __future__ import annotations

import argparse
import ast
import time
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import tutelage as tl

LENGTH, BYTES, TOP = 128, 256, 16
PACKAGES = ("numpy", "scipy", "sklearn")
HARD = tl.losses.hard_cross_entropy()
BOTH = 0.9 * tl.losses.soft_cross_entropy() + 0.1 * HARD

Rows = dict[str, np.ndarray]


@dataclass(frozen=True)
class Effort:
    """How much is read, by networks of what width and layers, and how often."""

    files: int | None
    windows: int
    teacher: tuple[int, int]
    student: tuple[int, int]
    epochs: int
    rates: tuple[float, ...]
    seeds: tuple[int, ...]


WHOLE = Effort(None, 6_000, (128, 5), (40, 3), 6, (1e-3, 3e-3), (0, 1, 2))
QUICK = Effort(60, 300, (32, 1), (16, 1), 1, (3e-3,), (0, 1))


class Reader(nn.Module):
    """A causal transformer: what it answers at a position depends on the bytes up to it."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(BYTES, width), nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.answers = nn.Linear(width, BYTES)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """(batch, length) bytes -> (batch, length, 256) logits of the next one."""
        length = input_ids.shape[1]
        seen = self.bytes(input_ids) + self.places(torch.arange(length, device=input_ids.device))
        later = nn.Transformer.generate_square_subsequent_mask(length, device=input_ids.device, dtype=seen.dtype)
        return self.answers(self.layers(seen, mask=later, is_causal=True))


def texts(most: int | None) -> list[str]:
    """The docstrings of each file of the packages, as one text a file, of at most so many; no file is imported."""
    found = []
    for package in PACKAGES:
        folder = Path(str(find_spec(package).origin)).parent  # type: ignore[union-attr]
        for path in sorted(folder.rglob("*.py")):
            nodes = ast.walk(ast.parse(path.read_bytes()))
            documented = [node for node in nodes if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
            text = "\n\n".join(filter(None, map(ast.get_docstring, documented)))
            if len(text) > 2 * LENGTH:
                found.append(text)
            if len(found) == most:
                return found
    return found


def windows(files: list[str], most: int) -> Rows:
    """At most so many windows, (windows, 128) bytes, none of which spans two files."""
    parts = []
    for text in files:
        content = np.frombuffer(text.encode(), np.uint8)
        parts.append(content[: len(content) // LENGTH * LENGTH].reshape(-1, LENGTH))
    return {"input_ids": np.concatenate(parts)[:most].astype(np.int64)}


@dataclass(frozen=True)
class Lesson:
    """What a network learns from: rows, the teacher's answers to them if there are any, and rows that choose the epoch."""

    rows: Rows
    check: Rows
    answers: Any = None

    def learnt(self, shape: tuple[int, int], *, rate: float, epochs: int, seed: int) -> tl.TorchStudent:
        """A network of this width and number of layers, trained with one learning rate."""
        torch.manual_seed(100 + seed)
        student = tl.TorchStudent(Reader(*shape), HARD if self.answers is None else BOTH, classes=range(BYTES), positions="tokens")
        return student.fit(
            self.rows,
            self.answers,
            tl.training.next_tokens(self.rows),
            epochs=epochs,
            batch_size=64,
            seed=seed,
            optimizer=partial(torch.optim.AdamW, lr=rate),
            schedule=tl.training.one_cycle,
            clip_norm=1.0,
            validation=(self.check, tl.training.next_tokens(self.check)),
        )


def costs(student: tl.TorchStudent, rows: Rows) -> np.ndarray:
    """(windows,) the mean cross-entropy of the bytes of each window, in nats; the last byte has no next one."""
    found = []
    for part in np.array_split(rows["input_ids"], max(len(rows["input_ids"]) // 250, 1)):
        probabilities = student.predict_proba({"input_ids": part}).values.reshape(*part.shape, BYTES)
        following = np.take_along_axis(probabilities[:, :-1], part[:, 1:, None], axis=2)
        found.append(-np.log(following).mean(axis=(1, 2)))
    return np.concatenate(found)


def parts_of(files: list[str], effort: Effort) -> tuple[Rows, Rows, Rows]:
    """Windows to learn from, to choose by and to measure on, of files of their own."""
    order = np.random.default_rng(0).permutation(len(files))
    chosen = [files[place] for place in order]
    tenth = len(chosen) // 10
    test, check, train = chosen[:tenth], chosen[tenth : 2 * tenth], chosen[2 * tenth :]
    return windows(train, effort.windows), windows(check, effort.windows // 12), windows(test, effort.windows // 6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    effort = QUICK if parser.parse_args().quick else WHOLE
    train, check, test = parts_of(texts(effort.files), effort)
    counts = [f"{len(part['input_ids']):,}" for part in (train, check, test)]
    print(f"windows of {LENGTH} bytes: {counts[0]} to learn from, {counts[1]} to choose by, {counts[2]} to measure on")

    start = time.perf_counter()
    teacher = Lesson(train, check).learnt(effort.teacher, rate=1e-3, epochs=effort.epochs, seed=0)
    weights = sum(weight.numel() for weight in teacher.network.parameters())
    print(f"teacher: {weights:,} weights, trained in {time.perf_counter() - start:,.0f} s")

    start = time.perf_counter()
    answers = tl.record(teacher, train, "answers", top_k=TOP, dtype="float16")
    size, entries = sum(path.stat().st_size for path in answers.path.iterdir()), TOP * train["input_ids"].size
    taken = f"{time.perf_counter() - start:,.0f} s: {size / 1e6:,.1f} MB"
    print(f"recorded in {taken}, {size / entries:.2f} bytes for each of {entries:,} entries")

    found = {}
    for name, lesson in (("text alone", Lesson(train, check)), ("teacher's answers", Lesson(train, check, answers))):
        tried = {rate: lesson.learnt(effort.student, rate=rate, epochs=effort.epochs, seed=0) for rate in effort.rates}
        rate = min(tried, key=lambda each: float(tried[each].fit_.scores.min()))
        others = [lesson.learnt(effort.student, rate=rate, epochs=effort.epochs, seed=seed) for seed in effort.seeds[1:]]
        found[name] = np.array([costs(student, test) for student in (tried[rate], *others)])
        weights = sum(weight.numel() for weight in tried[rate].network.parameters())
        perplexity = f"perplexity per byte {np.exp(found[name].mean()):.3f}, learning rate {rate:g}"
        print(f"student of {weights:,} weights from the {name}: {perplexity}")
    print(f"teacher: perplexity per byte {np.exp(costs(teacher, test).mean()):.3f}")
    difference, interval = tl.paired_difference(found["teacher's answers"], found["text alone"], shared_rows=True)
    word = "beats" if interval.high < 0 else "worse" if interval.low > 0 else "no difference"
    nats = f"{difference:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"
    print(f"teacher's answers against text alone, nats a byte, over {len(effort.seeds)} seeds and all windows: {nats}: {word}")


if __name__ == "__main__":
    main()
