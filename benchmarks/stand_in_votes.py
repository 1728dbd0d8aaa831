"""Simulate an LLM that is queried five times on each of 11 293 posts to 20 newsgroups.

The benchmark does not call an LLM. A classifier of all words takes its place: it predicts posts on which it was not
trained (5 folds), and five votes are drawn from its probabilities. Writes votes.jsonl {"text", "votes"} and gold.jsonl
{"text", "label"}, the official test posts with their true groups.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from real_data import newsgroups
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

VOTES = 5


def write_votes(folder: Path) -> None:
    problem = newsgroups()
    learn = len(problem.rows) - problem.test
    texts, truth = problem.rows[:learn], problem.truth[:learn]
    # Few features and a penalty, for calibrated probabilities.
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, min_df=3), SGDClassifier(loss="log_loss", alpha=1e-5, random_state=0))
    p = cross_val_predict(model, texts, truth, cv=5, method="predict_proba")
    groups, rng = np.unique(truth), np.random.default_rng(0)
    votes = [rng.choice(groups, VOTES, p=row / row.sum()).tolist() for row in p]
    _write(folder / "votes.jsonl", [{"text": text, "votes": cast} for text, cast in zip(texts, votes, strict=True)])
    gold = zip(problem.rows[learn:], problem.truth[learn:].tolist(), strict=True)
    _write(folder / "gold.jsonl", [{"text": text, "label": label} for text, label in gold])


def _write(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    write_votes(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
