"""From an LLM's votes to a text classifier of at most a megabyte: python llm_votes.py [VOTES.jsonl GOLD.jsonl]

An LLM was asked several times about each text: VOTES holds lines {"text", "votes": [label, ...]}. GOLD holds other
texts with their true label, {"text", "label"}; it chooses nothing. Without arguments the letters beside this file are
taken, which compose_votes.py made up. Real votes look the same and take minutes; for a stand-in see
benchmarks/stand_in_votes.py.

Two students of the same form, the same words and the same settings to choose from: one learns the votes as they were
cast, the other what most voters said. The student on votes is kept in student.skops.

On the stand-in (11 273 posts to 20 newsgroups, 5 votes each; 7 521 gold posts) the student on votes was right about
77.2 % (76.2 to 78.1) and the one on the majority vote about 76.1 %, 1.1 points less (0.5 to 1.7), from 926 kB. Its
likelihood was worse, 1.21 nats against 1.09: who learns from doubtful voters is as doubtful as they are.
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
"""So many words of twenty classes fit in a megabyte."""
MOST_BYTES = 1_000_000


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def parted(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows to learn from (70 %), to choose by (15 %) and to measure fidelity on (15 %)."""
    order, held = np.random.default_rng(0).permutation(count), count * 15 // 100
    return order[2 * held :], order[:held], order[held : 2 * held]


def tuned(words: object, targets: np.ndarray, votes: np.ndarray, classes: tuple[object, ...]) -> tuple[tl.SoftLogistic, float]:
    """The student, and its penalty, that most voters would have agreed with on rows that it did not learn from."""
    learn, choose, _ = parted(len(votes))
    students = [tl.SoftLogistic(C=C).fit(words[learn], targets[learn], classes=classes) for C in PENALTIES]
    agreed = [votes[choose, student.predict_proba(words[choose]).argmax(axis=1)].mean() for student in students]
    best = int(np.argmax(agreed))
    return students[best], PENALTIES[best]


def main(votes_path: Path, gold_path: Path) -> None:
    labels = tl.read_answers(votes_path, answers="votes", kind="votes", content="text")
    texts = list(dict.fromkeys(str(line["text"]) for line in lines(votes_path)))
    voted, gold = set(texts), lines(gold_path)
    again = [line for line in gold if line["text"] in voted]  # what is measured on them would be memory
    gold = [line for line in gold if line["text"] not in voted]
    gold_texts, truth = [str(line["text"]) for line in gold], np.array([line["label"] for line in gold])
    votes, classes = labels.answer(texts), labels.form.classes
    print(f"{len(texts)} texts, {len(classes)} classes; {(votes.max(axis=1) < 1).mean():.0%} of the texts have voters who disagree")
    print(f"{len(gold)} gold texts; {len(again)} more were left out, for they are among the texts voted on\n")

    found = tl.preflight(labels, texts, test=gold_texts)
    print(found.raise_for_errors(), "\n")

    learn, _, measure = parted(len(texts))
    held = [texts[row] for row in measure]
    columns = with_columns(tl.SoftLogistic(), texts, scaled=True, max_words=WORDS)["columns"].fit([texts[row] for row in learn])
    words = columns.transform(texts)
    students, measured = {}, {}
    for name, targets in {"votes": votes, "majority": harden(votes)}.items():
        student, penalty = tuned(words, targets, votes, classes)
        students[name] = Pipeline([("columns", columns), ("student", student)])
        measured[name] = {
            "gold": tl.evaluate(students[name], None, gold_texts, truth, name=f"student on {name}", budget_seconds=None),
            "voters": tl.evaluate(students[name], labels, held, name=f"student on {name}", budget_seconds=None),
        }
        print(f"student on {name}: C = {penalty:g} chosen of {len(PENALTIES)}")

    kept = tl.save_student(students["votes"], Path("student"))
    if kept.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{kept} takes {kept.stat().st_size} bytes; lower WORDS.")
    if not (tl.load_student(kept).predict(gold_texts) == students["votes"].predict(gold_texts)).all():
        raise SystemExit(f"{kept} does not answer as its student does.")

    print(f"\n{'':34}{'on votes':>26}{'on the majority vote':>26}")
    for what, (against, group, figure) in {
        "accuracy on gold texts": ("gold", "against_truth", "accuracy"),
        "negative log-likelihood, nats": ("gold", "against_truth", "nll_nats"),
        "agrees with the voters' majority": ("voters", "against_teacher", "agreement"),
        "KL(votes || student), nats": ("voters", "against_teacher", "kl_nats"),
    }.items():
        print(f"{what:34}" + "".join(f"{told(getattr(measured[name][against], group)[figure]):>26}" for name in measured))
    print(f"{'size on disk':34}{kept.stat().st_size:>20,} bytes\n")
    for figure in ("accuracy", "nll_nats"):
        verdict = tl.compare(measured["votes"]["gold"], measured["majority"]["gold"], metric=figure)
        low, high = verdict.ci95
        print(f"on votes against on the majority vote, {figure}: {verdict.difference:+.4f} ({low:+.4f} to {high:+.4f}): {verdict.verdict}")


def told(estimate: object) -> str:
    interval = estimate.interval
    return f"{estimate.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    paths = [Path(argument) for argument in sys.argv[1:]] or [HERE / "votes.jsonl", HERE / "gold.jsonl"]
    if len(paths) != 2:
        raise SystemExit(__doc__)
    main(*paths)
