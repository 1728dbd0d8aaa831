"""Train a text classifier of at most one megabyte on an LLM's votes: python llm_votes.py [VOTES.jsonl GOLD.jsonl]

VOTES holds the answers of an LLM that was queried several times about each text, in lines {"text", "votes": [label, ...]}.
GOLD holds other texts with their true label, {"text", "label"}, and is used for measuring only. By default the letters in
this folder are used, which compose_votes.py generated. Real votes have the same format and take minutes; for simulated
ones see benchmarks/stand_in_votes.py.

The example trains two students of the same kind, with the same words and the same candidate settings: one on the shares of
the votes, the other on the majority vote. The student on votes is saved in student.skops.

On the simulated votes (11 273 posts to 20 newsgroups, 5 votes each; 7 521 gold posts) the student on votes was right for
77.2 % (76.2 to 78.1) and the one on the majority vote for 76.1 %, 1.1 points less (0.5 to 1.7), at a size of 926 kB. The
negative log-likelihood of the student on votes was higher, 1.21 nats against 1.09, because it reproduces the uncertainty
of the voters.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

import tutelage as tl
from tutelage.losses.targets import harden
from tutelage.students.columns import with_columns

HERE = Path(__file__).parent
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
WORDS = 10_000
"""For twenty classes, this many words fit in one megabyte."""
MOST_BYTES = 1_000_000


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def split(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows (70 %), validation rows (15 %), and rows on which to measure fidelity (15 %)."""
    order, held = np.random.default_rng(0).permutation(count), count * 15 // 100
    return order[2 * held :], order[:held], order[held : 2 * held]


def tuned(words: object, targets: np.ndarray, votes: np.ndarray, classes: tuple[object, ...]) -> tuple[tl.SoftLogistic, float]:
    """The student, and its penalty, with which most voters agree on the validation rows."""
    train, validation, _ = split(len(votes))
    students = [tl.SoftLogistic(C=C).fit(words[train], targets[train], classes=classes) for C in PENALTIES]
    agreed = [votes[validation, student.predict_proba(words[validation]).argmax(axis=1)].mean() for student in students]
    best = int(np.argmax(agreed))
    return students[best], PENALTIES[best]


def main(votes_path: Path, gold_path: Path) -> None:
    labels = tl.read_answers(votes_path, answers="votes", kind="votes", content="text")
    texts = list(dict.fromkeys(str(line["text"]) for line in lines(votes_path)))
    voted, gold = set(texts), lines(gold_path)
    repeated = [line for line in gold if line["text"] in voted]  # the students were trained on these
    gold = [line for line in gold if line["text"] not in voted]
    gold_texts, truth = [str(line["text"]) for line in gold], np.array([line["label"] for line in gold])
    votes, classes = labels.answer(texts), labels.form.classes
    print(f"{len(texts)} texts, {len(classes)} classes; the voters disagree on {(votes.max(axis=1) < 1).mean():.0%} of the texts")
    print(f"{len(gold)} gold texts; {len(repeated)} more were left out because they are among the texts with votes\n")

    found = tl.preflight(labels, texts, test=gold_texts)
    print(found.raise_for_errors(), "\n")

    train, _, measure = split(len(texts))
    held_out = [texts[row] for row in measure]
    columns = with_columns(tl.SoftLogistic(), texts, scaled=True, max_words=WORDS)["columns"].fit([texts[row] for row in train])
    words = columns.transform(texts)
    students, measured = {}, {}
    for name, targets in {"votes": votes, "majority": harden(votes)}.items():
        student, penalty = tuned(words, targets, votes, classes)
        students[name] = Pipeline([("columns", columns), ("student", student)])
        measured[name] = {
            "gold": tl.evaluate(students[name], None, gold_texts, truth, name=f"student on {name}", budget_seconds=None),
            "voters": tl.evaluate(students[name], labels, held_out, name=f"student on {name}", budget_seconds=None),
        }
        print(f"student on {name}: C = {penalty:g}, chosen among {len(PENALTIES)} values")

    saved = tl.save_student(students["votes"], Path("student"))
    if saved.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{saved} has {saved.stat().st_size} bytes; lower WORDS.")
    if not (tl.load_student(saved).predict(gold_texts) == students["votes"].predict(gold_texts)).all():
        raise SystemExit(f"the predictions of {saved} differ from those of the student.")

    print(f"\n{'':34}{'on votes':>26}{'on the majority vote':>26}")
    for title, (against, group, figure) in {
        "accuracy on gold texts": ("gold", "against_truth", "accuracy"),
        "negative log-likelihood, nats": ("gold", "against_truth", "nll_nats"),
        "agreement with the majority vote": ("voters", "against_teacher", "agreement"),
        "KL(votes || student), nats": ("voters", "against_teacher", "kl_nats"),
    }.items():
        print(f"{title:34}" + "".join(f"{with_interval(getattr(measured[name][against], group)[figure]):>26}" for name in measured))
    print(f"{'size on disk':34}{saved.stat().st_size:>20,} bytes\n")
    for figure in ("accuracy", "nll_nats"):
        comparison = tl.compare(measured["votes"]["gold"], measured["majority"]["gold"], metric=figure)
        low, high = comparison.ci95
        print(f"votes against majority vote, {figure}: {comparison.difference:+.4f} ({low:+.4f} to {high:+.4f}): {comparison.verdict}")


def with_interval(estimate: object) -> str:
    interval = estimate.interval
    return f"{estimate.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]] or [HERE / "votes.jsonl", HERE / "gold.jsonl"]
    if len(paths) != 2:
        raise SystemExit(__doc__)
    main(*paths)
