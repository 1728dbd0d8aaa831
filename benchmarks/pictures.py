"""Two ONNX teachers of others, of steps and of pixels, recorded and taught to small networks; --quick takes a few pictures and epochs.

A recogniser of lines of text answers 40 steps of 6 625 characters for each picture, a detector the probability of text for each pixel. Both
come from the package rapidocr-onnxruntime; the pictures are drawn here. The recogniser's 8 most probable characters of each step are
recorded.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from real_data import package_file
from torch import nn

import tutelage as tl

MODELS = "rapidocr_onnxruntime/models"
WORDS = (
    *("teacher", "student", "answer", "record", "distil", "small", "large", "proof", "phone", "browser", "table"),
    *("forest", "margin", "gain", "loss", "epoch", "batch", "weight", "label"),
)
HEIGHT, WIDTH, STEPS, TOP = 48, 320, 40, 8


class Recogniser(nn.Module):
    """A line of text as 40 steps: columns of 8 pixels, each with what is near it."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        widths = (3, 24, 48, 96)
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.looks = nn.Sequential(*layers, nn.Conv2d(96, 96, (6, 5), padding=(0, 2)), nn.BatchNorm2d(96), nn.ReLU())
        self.out = nn.Linear(96, characters)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(batch, 3, 48, 320) -> (batch, 40, characters)."""
        return self.out(self.looks(pictures).squeeze(2).transpose(1, 2))


def detector() -> nn.Module:
    """A map of the same size as the picture."""
    layers: list[nn.Module] = []
    for inputs, outputs, spread in ((3, 16, 1), (16, 16, 2), (16, 16, 4), (16, 16, 8)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=spread, dilation=spread), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(16, 2, 1))


def drawn(texts: list[tuple[str, float, float]], height: int, width: int, size: float) -> np.ndarray:
    """(3, height, width) a white picture with black texts, from -1 to 1."""
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    for text, left, bottom in texts:
        figure.text(left, bottom, text, fontsize=size, va="bottom")
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3].astype(np.float32)
    return ((picture / 255 - 0.5) / 0.5).transpose(2, 0, 1)


def lines(count: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Pictures of one line of one or two words, and the texts."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, 3))) for _ in range(count)]
    pictures = [drawn([(text, 0.02, 0.1 + 0.1 * rng.random())], HEIGHT, WIDTH, 16 + 6 * rng.random()) for text in texts]
    return np.stack(pictures), texts


def scenes(count: int, seed: int) -> np.ndarray:
    """Pictures with a few words at different places."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        words = [(str(rng.choice(WORDS)), 0.6 * rng.random(), 0.1 + 0.7 * rng.random()) for _ in range(rng.integers(1, 4))]
        found.append(drawn(words, 96, 192, 9 + 6 * rng.random()))
    return np.stack(found)


def read(steps: np.ndarray, characters: tuple[str, ...]) -> str:
    """The text of the most probable character of each step: repeated ones once, without the blanks (the first class)."""
    kept = [step for place, step in enumerate(steps) if step and (place == 0 or step != steps[place - 1])]
    return "".join(characters[step] for step in kept)


def trained(network: nn.Module, rows: np.ndarray, labels: Any, epochs: int) -> tl.TorchStudent:
    """A network trained on recorded answers."""
    optimizer = partial(torch.optim.AdamW, lr=3e-3)
    return tl.TorchStudent(network).fit(rows, labels, epochs=epochs, batch_size=16, optimizer=optimizer, schedule=tl.training.one_cycle)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call returns, and its seconds."""
    start = time.perf_counter()
    return call(), time.perf_counter() - start


def recognise(folder: Path, count: int, epochs: int) -> None:
    """The recogniser: recorded, taught, and both compared with what was drawn."""
    content = package_file("rapidocr-onnxruntime", f"{MODELS}/ch_PP-OCRv4_rec_infer.onnx")
    known = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}["character"].split("\n")
    characters = ("<blank>", *known, " ")[:6625]
    classes = tuple(f"{place} {character}" for place, character in enumerate(characters))  # a character may be listed twice
    teacher = tl.as_teacher(content, classes=classes, kind="probabilities", positions="tokens")
    rows, _ = lines(count, 0)
    test, texts = lines(max(count // 5, 20), 1)
    labels, seconds = timed(lambda: tl.record(teacher, rows, folder / "steps", top_k=TOP, dtype="float16"))
    size = sum(path.stat().st_size for path in labels.path.glob("*.parquet"))
    entry = f"{size / (TOP * STEPS * count):.2f} bytes an entry, lost {labels.cost.mean / STEPS:.5f} nats a step"
    print(f"recogniser: {count} pictures recorded in {seconds:,.0f} s, {size / 1e6:.2f} MB, {entry}", flush=True)
    torch.manual_seed(0)
    student, seconds = timed(lambda: trained(Recogniser(len(characters)), rows, labels, epochs))
    right = []
    for answers in (teacher.answer(test), student.predict_proba(test)):
        found = [read(part.argmax(1), characters).strip() for part in answers]
        right.append(np.mean([one == text for one, text in zip(found, texts, strict=True)]))
    shares = f"teacher {right[0]:.3f}, student {right[1]:.3f}"
    print(f"recogniser: student of {_weights(student):,} weights trained in {seconds:,.0f} s; texts read right: {shares}")
    found = tl.evaluate(student, teacher, test, budget_seconds=None)
    print(f"recogniser: agreement with the teacher, steps: {found.against_teacher['agreement']}", flush=True)
    exported, seconds = timed(lambda: tl.export(student, folder / "recogniser.onnx", check_on=test))
    print(f"recogniser: student.onnx {exported.size_bytes:,} bytes, teacher {len(content):,}; {exported.proofs[0]}")


def detect(folder: Path, count: int, epochs: int) -> None:
    """The detector: recorded, taught, and compared pixel by pixel."""
    content = package_file("rapidocr-onnxruntime", f"{MODELS}/ch_PP-OCRv4_det_infer.onnx")
    teacher = tl.as_teacher(content, classes=("ground", "text"), kind="probabilities", positions="pixels")
    rows, test = scenes(count, 2), scenes(max(count // 5, 20), 3)
    labels, seconds = timed(lambda: tl.record(teacher, rows, folder / "pixels", dtype="float16"))
    print(f"detector: {count} pictures recorded in {seconds:,.0f} s", flush=True)
    torch.manual_seed(0)
    student, seconds = timed(lambda: trained(detector(), rows, labels, epochs))
    found = tl.evaluate(student, teacher, test, budget_seconds=None)
    agree = found.against_teacher["agreement"]
    print(f"detector: student of {_weights(student):,} weights trained in {seconds:,.0f} s; pixels that agree with the teacher: {agree}")
    print("detector: " + ", ".join(f"{name} {figure}" for name, figure in found.against_teacher.items() if "iou" in name))
    exported = tl.export(student, folder / "detector.onnx", check_on=test)
    print(f"detector: student.onnx {exported.size_bytes:,} bytes, teacher {len(content):,}; {exported.proofs[0]}")


def _weights(student: tl.TorchStudent) -> int:
    return sum(weight.numel() for weight in student.network.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    count, epochs = (24, 1) if parser.parse_args().quick else (800, 20)
    with tempfile.TemporaryDirectory() as folder:
        recognise(Path(folder), count, epochs)
        detect(Path(folder), count, epochs)


if __name__ == "__main__":
    main()
