"""A small transformer trained on 20 newsgroups, distilled into three kinds of student of texts; --quick takes a few rows and epochs.

The teacher and the first student read tokens, the second TF-IDF columns of the same texts, the third the mean of static embeddings. Each
student is trained on labels alone and on the teacher's recorded answers, with the same settings, epochs chosen on validation rows.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_data import newsgroups
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import tutelage as tl

VOCABULARY, LENGTH = 8000, 160


@dataclass(frozen=True)
class Size:
    """How many rows are read, how much of each, how often, and for how many seconds a latency is measured."""

    rows: int | None
    letters: int | None
    epochs: int
    seeds: tuple[int, ...]
    latency: float


FULL, QUICK = Size(None, None, 8, (0, 1, 2), 1.0), Size(200, 200, 1, (0, 1), 0.1)


class MeanOfWords(nn.Module):
    """Static embeddings: the mean of the tokens that count, and one layer."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(VOCABULARY, width), nn.Linear(width, classes)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(batch, tokens) -> (batch, classes)."""
        counts = attention_mask[..., None].to(self.words.weight.dtype)
        return self.out((self.words(input_ids) * counts).sum(1) / counts.sum(1).clamp(min=1))


def transformer(width: int, layers: int, classes: int) -> nn.Module:
    """A BERT from a configuration, without weights of anybody."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=LENGTH,
        num_labels=classes,
        attention_probs_dropout_prob=0.0,  # dropout there takes a third of a step on a processor
    )
    return BertForSequenceClassification(config)


def tokenized(texts: list[str], tokenizer: Tokenizer) -> dict[str, list[list[int]]]:
    """Ids and attention masks, cut to `LENGTH`, of different lengths."""
    ids = [encoding.ids[:LENGTH] or [0] for encoding in tokenizer.encode_batch(texts)]
    return {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}


def trained_tokenizer(texts: list[str]) -> Tokenizer:
    """Byte-pair encoding learnt from the training texts."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel()
    tokenizer.train_from_iterator(texts, BpeTrainer(vocab_size=VOCABULARY, special_tokens=["[PAD]"], show_progress=False))
    return tokenizer


@dataclass(frozen=True)
class Given:
    """What a network learns from, and what chooses its epoch."""

    rows: Any
    labels: Any
    truth: Any
    check: Any


def fitted(network: nn.Module, classes: list[str], given: Given, size: Size, seed: int) -> tl.TorchStudent:
    """A network trained on labels, or on the teacher's answers and labels."""
    hard = tl.losses.hard_cross_entropy()
    objective = hard if given.labels is None else 0.9 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.1 * hard
    return tl.TorchStudent(network, objective, classes=classes).fit(
        given.rows,
        given.labels,
        given.truth,
        epochs=size.epochs,
        batch_size=32,
        seed=seed,
        optimizer=partial(torch.optim.AdamW, lr=1e-3, fused=True),
        schedule=tl.training.one_cycle,
        clip_norm=1.0,
        threads=2,
        validation=given.check,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    size = QUICK if parser.parse_args().quick else FULL
    problem = newsgroups()
    split = len(problem.rows) - problem.test
    order = np.random.default_rng(0).permutation(split)[: size.rows]
    held = len(order) // 10
    places = {"train": order[held:], "check": order[:held], "test": np.arange(split, len(problem.rows))[: size.rows]}
    texts = {name: [problem.rows[place][: size.letters] for place in part] for name, part in places.items()}
    truth = {name: problem.truth[part] for name, part in places.items()}
    classes = sorted(set(problem.truth.tolist()))
    tokenizer = trained_tokenizer(texts["train"])
    tokens = {name: tokenized(part, tokenizer) for name, part in texts.items()}

    torch.manual_seed(0)
    start = time.perf_counter()
    check = (tokens["check"], truth["check"])
    large = fitted(transformer(128, 4, len(classes)), classes, Given(tokens["train"], None, truth["train"], check), size, 0)
    print(f"teacher trained in {time.perf_counter() - start:,.0f} s on {len(texts['train']):,} texts", flush=True)
    answers = {name: tl.record(large, part) for name, part in tokens.items() if name != "check"}

    def network(build: Callable[[], nn.Module]) -> Callable[[Any, int], Any]:
        def student(labels: Any, seed: int) -> Any:
            torch.manual_seed(seed)
            return fitted(build(), classes, Given(tokens["train"], labels, truth["train"], check), size, seed)

        return student

    kinds: dict[str, tuple[dict[str, Any], Callable[[Any, int], Any]]] = {
        "2 layers of 64, tokens": (tokens, network(partial(transformer, 64, 2, len(classes)))),
        "mean of 64 static embeddings": (tokens, network(partial(MeanOfWords, 64, len(classes)))),
        "TF-IDF and logistic": (texts, lambda labels, seed: _linear(texts, truth, classes, labels)),
    }
    print("| student | learns from | accuracy | agreement with the teacher | bytes | one text, us | against labels |")
    print("|---|---|---|---|---|---|---|")
    for name, (rows, student_of) in kinds.items():
        paired = {part: found.paired_with(rows[part]) for part, found in answers.items()}
        _compare(name, rows, paired, truth, student_of, size)
    figures = tl.evaluate(large, None, tokens["test"], truth["test"], budget_seconds=size.latency)
    print(
        f"| teacher | labels | {figures.against_truth['accuracy']} | | {figures.cost.size_bytes:,} | {figures.cost.alone.p50_us:,.0f} | |"
    )


def _linear(texts: Any, truth: Any, classes: list[str], labels: Any) -> Any:
    student = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000), tl.SoftLogistic(C=10.0))
    if labels is None:
        return student.fit(texts["train"], truth["train"])
    return student.fit(texts["train"], labels.probabilities, softlogistic__classes=classes)


def _compare(name: str, rows: Any, paired: Any, truth: Any, student_of: Callable[[Any, int], Any], size: Size) -> None:
    """A line for the student on labels, and one for the student on the teacher's answers, over all seeds."""
    right: dict[str, Any] = {}
    for arm, labels in (("labels", None), ("answers", paired["train"])):
        students = [student_of(labels, seed) for seed in size.seeds]
        found = [
            tl.evaluate(each, paired["test"], rows["test"], truth["test"], budget_seconds=size.latency if each is students[0] else None)
            for each in students
        ]
        right[arm] = np.array([each.predict(rows["test"]) == truth["test"] for each in students], dtype=float)
        mean = np.mean([each.against_truth["accuracy"].value for each in found])
        agreement = np.mean([each.against_teacher["agreement"].value for each in found])
        verdict = "" if arm == "labels" else _verdict(right)
        with tempfile.TemporaryDirectory() as folder:
            exported = tl.export(students[0], Path(folder) / "student.onnx", check_on=rows["test"], compared_rows=200)
        print(
            f"| {name} | {arm} | {mean:.3f} | {agreement:.3f} | {exported.size_bytes:,} | {found[0].cost.alone.p50_us:,.0f} | {verdict} |",
            flush=True,
        )


def _verdict(right: dict[str, Any]) -> str:
    difference, interval = tl.paired_difference(right["answers"], right["labels"], shared_rows=True)
    word = "beats" if interval.low > 0 else "worse" if interval.high < 0 else "no difference"
    return f"{100 * difference:+.1f} points ({100 * interval.low:+.1f} to {100 * interval.high:+.1f}): {word}"


if __name__ == "__main__":
    main()
