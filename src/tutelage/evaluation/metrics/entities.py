"""Entities in tokens: spans that classes such as B-PER, I-PER and O mark, and how many of them two sets of decisions share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

TAG = re.compile(r"O|[BI]-.+", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Tags:
    """What each class says of a token.

    Attributes:
        begins: (classes,) whether it begins an entity (B-).
        types: (classes,) the number of its type; -1 outside of entities (O).
    """

    begins: NDArray[np.bool_]
    types: NDArray[np.int64]

    @classmethod
    def of(cls, classes: Sequence[Any]) -> Tags | None:
        """The tags that classes are, B-... and I-... of some types and O; None if they are others.

        Example:
            >>> Tags.of(["O", "B-PER", "I-PER"]).types.tolist()
            [-1, 1, 1]
            >>> Tags.of(["noun", "verb"]) is None
            True
        """
        names = [name if isinstance(name, str) else "" for name in classes]
        if "O" not in names or len(names) < 2 or not all(TAG.fullmatch(name) for name in names):
            return None
        kinds = {name[2:]: number for number, name in reversed(list(enumerate(names))) if name != "O"}
        return cls(np.array([name[0] == "B" for name in names]), np.array([kinds.get(name[2:], -1) for name in names], np.int64))

    def spans(self, codes: NDArray[np.int64], row_of: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Where entities begin, and where each ends.

        An entity begins at B-, or at I- after another type, after O or at the start of a row, and goes on while I- of its type follows.

        Args:
            codes: (tokens,) the class of each token, one row after the other.
            row_of: (tokens,) the row of each.

        Returns:
            (tokens,) whether an entity begins; and (tokens,) the token after its last one, where one does, else 0.

        Source:
            The evaluation of CoNLL-2000 (conlleval), as in seqeval's default mode.
        """
        types, inside = self.types[codes], self.types[codes] >= 0
        follows = np.zeros(len(codes), dtype=bool)
        follows[1:] = (row_of[1:] == row_of[:-1]) & (types[1:] == types[:-1])
        begins = inside & (self.begins[codes] | ~follows)
        borders = np.append(np.flatnonzero(begins | ~inside | ~follows), len(codes))
        ends = np.zeros(len(codes), np.int64)
        starts = np.flatnonzero(begins)
        ends[starts] = borders[np.searchsorted(borders, starts, side="right")]
        return begins, ends


def entity_overlaps(tags: Tags, target: NDArray[np.int64], decided: NDArray[np.int64], row_of: NDArray[np.intp]) -> sparse.csr_array:
    """(tokens, 2): whether an entity of both begins at a token, and how many of the two have one that does.

    Entities are the same if they have the same tokens and the same type. As for `overlaps`, twice the first sum divided by the second is
    F1, here of all types together (micro-averaged).

    Args:
        tags: of the classes.
        target: (tokens,) the true classes, or the teacher's.
        decided: (tokens,) the model's.
        row_of: (tokens,) the row of each token; those of a row follow each other.

    Example:
        >>> import numpy as np
        >>> tags = Tags.of(["O", "B-PER", "I-PER"])
        >>> found = entity_overlaps(tags, np.array([1, 2, 0, 1]), np.array([1, 2, 0, 2]), np.zeros(4, int))  # I-PER alone begins one too
        >>> found.sum(axis=0).tolist()
        [2, 4]
        >>> entity_overlaps(tags, np.array([1, 2]), np.array([1, 0]), np.zeros(2, int)).sum(axis=0).tolist()
        [0, 2]
    """
    (begins, ends), (others, other_ends) = tags.spans(target, row_of), tags.spans(decided, row_of)
    both = begins & others & (ends == other_ends) & (tags.types[target] == tags.types[decided])
    return sparse.csr_array(np.stack([both.astype(np.int64), begins.astype(np.int64) + others], axis=1))
