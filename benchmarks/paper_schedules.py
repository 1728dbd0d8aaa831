"""How the schedules of the papers' networks were chosen: on the last 10 000 training pictures of MNIST, with networks trained on the first
50 000. Test pictures are not read.

Usage: python benchmarks/paper_schedules.py teacher|student [--epochs 30]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data.views import Views
from tutelage.experiments.cache import Store
from tutelage.experiments.in_processes import in_processes
from tutelage.experiments.papers.hinton.settings import TEMPERATURE, small_network, soft_objective
from tutelage.experiments.papers.networks import Lessons, Schedule, layered, trained
from tutelage.experiments.papers.pictures import CLASSES, Jitter, Pictures, mnist
from tutelage.experiments.teaching import cached_labels
from tutelage.losses.class_terms import hard_cross_entropy

ROWS, SEED = 50_000, 100
Candidate = dict[str, float]
TEACHERS: list[Candidate] = [
    {"peak_rate": rate, "dropped_inputs": inputs, "dropped": hidden}
    for rate, inputs, hidden in ((2e-3, 0.1, 0.3), (2e-3, 0.2, 0.5), (1e-3, 0.1, 0.3), (1e-3, 0.2, 0.5))
]
STUDENTS: list[Candidate] = [{"peak_rate": rate, "soft": soft} for rate, soft in product((1e-3, 2e-3), (0.0, 1.0))]


def validation_errors(pictures: Pictures, network: Any) -> float:
    """Errors among the held-out training pictures, in per cent."""
    held = pictures.images.train_images[ROWS:].astype(np.float32) / np.float32(255)
    return float(100 * (network.predict(held) != pictures.images.train_labels[ROWS:]).mean())


def teacher(candidate: Candidate, *, pictures: Pictures, store: Store, epochs: int) -> tuple[Any, Any]:
    """A large network of a candidate, and what determines it."""
    schedule = Schedule(epochs, peak_rate=candidate["peak_rate"], max_norm=2.0)
    build = partial(layered, (784, 1200, 1200, CLASSES), dropped_inputs=candidate["dropped_inputs"], dropped=candidate["dropped"])
    views = Views(pictures.inputs, Jitter(), count=epochs, seed=SEED)
    lessons = Lessons(views, {"pictures": pictures.fingerprint, "views": views.determined_by()}, pictures.labels)
    return trained(store, build, hard_cross_entropy(), schedule, lessons, seed=SEED)


def teacher_errors(candidate: Candidate, *, pictures: Pictures, store: Store, epochs: int) -> float:
    """What a candidate of the large network makes."""
    found = validation_errors(pictures, teacher(candidate, pictures=pictures, store=store, epochs=epochs)[0])
    print(candidate, f"{found:.2f} %", flush=True)
    return found


def student_errors(candidate: Candidate, *, pictures: Pictures, store: Store, epochs: int) -> float:
    """What a candidate of the small network makes, on labels or on the answers of the first large network."""
    network, made_from = teacher(TEACHERS[0], pictures=pictures, store=store, epochs=epochs)
    labels = cached_labels(store, network.network, made_from, pictures.inputs, tuple(range(CLASSES)))
    lessons = Lessons(pictures.inputs, {"pictures": pictures.fingerprint}, pictures.labels)
    objective = soft_objective(TEMPERATURE) if candidate["soft"] else hard_cross_entropy()
    lessons = replace(lessons, labels=labels) if candidate["soft"] else lessons
    schedule = Schedule(epochs, peak_rate=candidate["peak_rate"])
    student, _ = trained(store, partial(small_network, 800), objective, schedule, lessons, seed=SEED)
    found = validation_errors(pictures, student)
    print(candidate, f"{found:.2f} %", flush=True)
    return found


def main() -> None:
    """Print the validation errors of every candidate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=("teacher", "student"))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--cache", type=Path, default=Path("build/paper-schedules"))
    given = parser.parse_args()
    pictures = replace(mnist(quick=False), rows=ROWS)
    errors, candidates = (teacher_errors, TEACHERS) if given.which == "teacher" else (student_errors, STUDENTS)
    measured = partial(errors, pictures=pictures, store=Store(given.cache), epochs=given.epochs)
    for candidate, found in zip(candidates, in_processes(measured, candidates), strict=True):
        print(f"{found:.2f} % validation errors: {candidate}")


if __name__ == "__main__":
    main()
