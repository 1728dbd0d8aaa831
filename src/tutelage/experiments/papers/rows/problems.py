"""Problems of which few rows have labels: pictures, tables and posts, each with a teacher that learns from the labels that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from tutelage.core import torch_runtime
from tutelage.core.arrays import Floats
from tutelage.core.errors import BadInput
from tutelage.data.datasets import FASHION_MNIST, Images, load_fashion_mnist, load_mnist
from tutelage.data.fingerprint import fingerprint
from tutelage.experiments.few_labels import LabelSetting
from tutelage.experiments.papers.networks import APART, layered
from tutelage.experiments.papers.pictures import Pictures
from tutelage.experiments.papers.rows.posts import SHA256 as POST_FILES
from tutelage.experiments.papers.rows.posts import Posts, read_posts
from tutelage.experiments.papers.rows.tables import ensemble, every_class, split
from tutelage.losses.class_terms import hard_cross_entropy
from tutelage.training.settings import one_cycle
from tutelage.training.student import TorchStudent

FASHION, POSTS = "Fashion-MNIST", "20 newsgroups"
TABLES = ("digits", "ten Gaussians", "waves")
SETTINGS = tuple(LabelSetting(smoothing, decay) for decay, smoothing in product((3e-2, 1e-2, 1e-3, 1e-4, 0.0), (0.0, 0.2)))
"""What students on labels choose from."""


@dataclass(frozen=True)
class Training:
    """How the students of a problem are built and trained: layers of hidden units, passes over all rows, batches, learning rate."""

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    peak_rate: float


@dataclass(frozen=True)
class Teacher:
    """A network that teaches, with dropout: units of each of two layers, steps, rows of a step, learning rate."""

    units: int = 400
    steps: int = 4000
    batch_size: int = 128
    peak_rate: float = 1e-3


@dataclass(frozen=True)
class Size:
    """The size of a run.

    Attributes:
        counts: numbers of labels; of a problem, those below its number of rows, and that.
        few: the number of labels of the first claims, one of them.
        rows, test_rows: the most rows of pictures.
        table_rows: the most training rows of a table.
        every: one post in this many is used.
        columns: words that a student sees.
        trees, rounds: trees of each forest and of boosting, in a teacher of tables.
        folds: rows that this teacher learned from are answered by one that learned from the other folds.
        teacher: a network that teaches.
        pictures, tables, posts: the training of the students.
        settings: what those on labels choose from.
        names: of the problems that need no data of the user's.
        parallel: train seeds in separate processes.
    """

    counts: tuple[int, ...] = (100, 300, 1000, 3000, 10_000)
    few: int = 300
    rows: int = 50_000
    test_rows: int = 10_000
    table_rows: int = 6000
    every: int = 1
    columns: int = 1000
    trees: int = 100
    rounds: int = 100
    folds: int = 5
    teacher: Teacher = Teacher()
    pictures: Training = Training((64, 64), 10, 128, 3e-3)
    tables: Training = Training((32, 32), 60, 64, 1e-2)
    posts: Training = Training((64,), 15, 64, 3e-3)
    settings: tuple[LabelSetting, ...] = SETTINGS
    names: tuple[str, ...] = ("MNIST", *TABLES)
    parallel: bool = True


@dataclass(frozen=True)
class Problem:
    """All rows, of which some have labels.

    Attributes:
        inputs: (rows, features) as students see them.
        labels: (rows,) true classes from 0; those of rows that were not drawn are read by nobody.
        test_inputs, test_labels: of the test rows.
        classes: the number of classes.
        teach: what a teacher that learned from the labels of these rows, by this seed, answers: probabilities of all rows and of
            the test rows.
        training: of the students.
        shared_test: whether all seeds have the same test rows.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    test_inputs: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: int
    teach: Callable[[NDArray[np.int64], int], tuple[Floats, Floats]]
    training: Training
    shared_test: bool

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of the training rows and their classes."""
        return fingerprint(self.inputs, self.labels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the layers of a student."""
        return (self.inputs.shape[1], *self.training.hidden, self.classes)

    @property
    def steps(self) -> int:
        """The number of steps of every student."""
        return self.training.epochs * len(self.inputs) // self.training.batch_size


def counts_of(rows: int, counts: tuple[int, ...]) -> tuple[int, ...]:
    """The numbers of labels below the number of rows, and that."""
    return (*(count for count in counts if count < rows), rows)


def of_pictures(images: Images, size: Size, seed: int) -> Problem:
    """Pictures, whose teacher is a larger network with dropout."""
    pictures = Pictures(images, size.rows, size.test_rows)
    rows, labels, test_rows = pictures.inputs, pictures.labels, pictures.test_inputs
    classes, own = len(images.classes), size.teacher

    def teach(at: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
        with torch_runtime.seeded(seed + APART):
            network = layered((rows.shape[1], own.units, own.units, classes), dropped_inputs=0.2, dropped=0.5)
        teacher = TorchStudent(network, hard_cross_entropy(), classes=range(classes)).fit(
            rows[at],
            None,
            labels[at],
            max_steps=own.steps,
            batch_size=min(own.batch_size, len(at)),
            seed=seed,
            optimizer=partial(torch.optim.Adam, lr=own.peak_rate, fused=True),
            schedule=one_cycle,
            threads=1,
        )
        return teacher.predict_proba(rows), teacher.predict_proba(test_rows)

    return Problem(rows, labels, test_rows, pictures.test_labels, classes, teach, size.pictures, shared_test=True)


def of_table(name: str, size: Size, seed: int) -> Problem:
    """A table of `split`, drawn by the seed, whose teacher is an ensemble of trees."""
    table = split(name, seed, rows=size.table_rows)
    classes = int(table.labels.max()) + 1
    learn = partial(ensemble, trees=size.trees, rounds=size.rounds, classes=classes)

    def teach(at: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
        teacher = learn(table.inputs[at], table.labels[at], seed=seed)
        answers = teacher(table.inputs)
        for others, own in KFold(size.folds, shuffle=True, random_state=seed).split(at):
            answers[at[own]] = learn(table.inputs[at[others]], table.labels[at[others]], seed=seed)(table.inputs[at[own]])
        return answers, teacher(table.test_inputs)

    rows, test_rows = (one.astype(np.float32) for one in (table.inputs, table.test_inputs))
    return Problem(rows, table.labels, test_rows, table.test_labels, classes, teach, size.tables, shared_test=False)


def of_posts(posts: Posts, size: Size, seed: int) -> Problem:
    """Posts, whose teacher is a linear model of all words; students see the most frequent ones."""
    texts, test_texts = posts.texts[:: size.every], posts.test_texts[:: size.every]
    labels, test_labels = posts.labels[:: size.every], posts.test_labels[:: size.every]
    all_words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    some_words = TfidfVectorizer(sublinear_tf=True, stop_words="english", max_features=size.columns, dtype=np.float32)
    words, test_words = all_words.fit_transform(texts), all_words.transform(test_texts)
    rows, test_rows = some_words.fit_transform(texts).toarray(), some_words.transform(test_texts).toarray()
    classes = len(posts.groups)

    def teach(at: NDArray[np.int64], seed: int) -> tuple[Floats, Floats]:
        teacher = LogisticRegression(C=10.0, max_iter=200).fit(words[at], labels[at])
        return every_class(teacher, words, classes), every_class(teacher, test_words, classes)

    return Problem(rows, labels, test_rows, test_labels, classes, teach, size.posts, shared_test=True)


def sources(data: Path | None, size: Size) -> tuple[dict[str, Callable[[int], Problem]], tuple[str, ...]]:
    """Each problem by the seed of its rows, and what is left out because its files are not there.

    Args:
        data: the user's folder, with the files of Fashion-MNIST, of 20 newsgroups, or both; None for neither.
        size: of the run.

    Raises:
        BadInput: the folder holds neither. DamagedFile: a file is not the one that is expected.
    """
    found: dict[str, Callable[[int], Problem]] = {name: partial(of_table, name, size) for name in size.names if name != "MNIST"}
    if "MNIST" in size.names:
        found = {"MNIST": partial(of_pictures, load_mnist(), size), **found}
    here = {} if data is None else _given(data)
    if FASHION in here:
        found[FASHION] = partial(of_pictures, load_fashion_mnist(data), size)
    if POSTS in here and data is not None:
        found[POSTS] = partial(of_posts, read_posts(data), size)
    left_out = tuple(
        f"{name} is left out: its files ({', '.join(files)}) are not in --data." for name, files in FILES.items() if name not in here
    )
    return found, left_out


FILES: Mapping[str, tuple[str, ...]] = {FASHION: tuple(f"{stem}.gz" for stem in FASHION_MNIST.sha256), POSTS: tuple(POST_FILES)}


def _given(data: Path) -> dict[str, Any]:
    """The data sets whose files are all in the folder, gzipped or plain."""

    def there(name: str) -> bool:
        return (data / name).is_file() or (data / name.removesuffix(".gz")).is_file()

    found = {name: files for name, files in FILES.items() if all(there(file) for file in files)}
    if not found:
        expected = "; or ".join(f"{', '.join(files)} ({name})" for name, files in FILES.items())
        raise BadInput(f"{data} holds the files of no data set; expected {expected}. Name their folder, or leave --data out.")
    return found
