"""Generate the votes that llm_votes.py uses by default: python compose_votes.py [FOLDER]

The texts are short letters to a shop, composed of phrases. Each letter has a main topic and a second topic; five
simulated voters vote on each letter, and the main topic gets most of the votes. Writes votes.jsonl {"text", "votes"}, and
gold.jsonl {"text", "label"} with other letters and their main topics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

OPENINGS = ["hello", "good morning", "dear team", "to whom it may concern", "hi there", "once again"]
PHRASES = {
    "account": [
        "i cannot log in",
        "the password is refused",
        "my address has changed",
        "please delete my profile",
        "no code was sent to me",
    ],
    "delivery": [
        "the parcel is late",
        "it went to my neighbour",
        "the box was wet",
        "the courier left no note",
        "half of the order is missing",
    ],
    "money": [
        "i was charged twice",
        "where is the invoice",
        "the refund did not arrive",
        "the voucher was ignored",
        "the price was lower yesterday",
    ],
    "product": ["the handle is broken", "it does not switch on", "the colour is wrong", "a screw is missing", "it smells of paint"],
}
ASIDES = ["and nobody answers", "as i said on the phone", "since monday", "for the second time", "which is a pity", "please help"]
VOTES = 5


def letters(count: int, seed: int) -> tuple[list[str], np.ndarray, list[str]]:
    """Letters, (letters, topics) probabilities that a voter chooses each topic, and the main topic of each letter."""
    rng = np.random.default_rng(seed)
    topics = sorted(PHRASES)
    texts, chances, main_topics = [], [], []
    for number in range(count):
        first, second = rng.choice(len(topics), 2, replace=False)
        of_first, of_second = (rng.choice(PHRASES[topics[topic]], amount, replace=False) for topic, amount in ((first, 2), (second, 1)))
        clauses = rng.permutation([*of_first, *of_second, rng.choice(ASIDES)])
        texts.append(f"{rng.choice(OPENINGS)}, order {1000 * seed + number}: {', '.join(clauses)}.")
        chances.append(np.full(len(topics), 0.05))
        chances[-1][[first, second]] = 0.6, 0.3
        main_topics.append(topics[first])
    return texts, np.array(chances), main_topics


def compose(folder: Path) -> None:
    topics, rng = sorted(PHRASES), np.random.default_rng(0)
    texts, chances, _ = letters(500, seed=1)
    votes = [rng.choice(topics, VOTES, p=row).tolist() for row in chances]
    write(folder / "votes.jsonl", [{"text": text, "votes": cast} for text, cast in zip(texts, votes, strict=True)])
    texts, _, main_topics = letters(300, seed=2)
    write(folder / "gold.jsonl", [{"text": text, "label": label} for text, label in zip(texts, main_topics, strict=True)])


def write(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"{path.name}: {len(lines)} lines")


if __name__ == "__main__":
    compose(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
