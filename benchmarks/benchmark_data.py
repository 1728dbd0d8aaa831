"""One lesson of the quality benchmark: rows of a real problem in their parts, a strong teacher, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from real_data import Problem
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC, LinearSVC

from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import Floats, one_hot
from tutelage.data.transfer import Munge
from tutelage.softlabels.querying import query
from tutelage.students.columns import with_columns
from tutelage.students.teaching import blended, out_of_fold_answers
from tutelage.teachers.adapt import as_teacher

FOLDS = 4
WORDS = 300
"""Commonest words and word pairs that a student of texts weighs; its teacher weighs them all."""


@dataclass(frozen=True)
class Size:
    """Rows of each part, at most.

    Attributes:
        labelled: rows whose labels teacher and students learn from.
        validation: rows whose labels choose settings and stop the teacher.
        pool: rows whose labels nobody sees; where the problem has too few, rows are made by MUNGE.
        test: rows that choose nothing; the same for every seed.
    """

    labelled: int
    validation: int
    pool: int
    test: int


@dataclass(frozen=True)
class Lesson:
    """What one seed's students are taught and judged by.

    Attributes:
        task: "classification" or "regression".
        parts: rows as they came, by part: "labelled", "transfer", "validation", "test".
        truth: of "labelled", "validation" and "test": codes of classes, or values.
        answers: (rows, columns) of the teacher: out of fold for "labelled", which it saw; plain for "transfer" and "test".
        form: of these answers.
        classes: how many; 0 for regression.
    """

    task: str
    parts: dict[str, Any]
    truth: dict[str, NDArray[Any]]
    answers: dict[str, Floats]
    form: AnswerForm
    classes: int

    def as_targets(self, part: str) -> Floats:
        """The truth as the teacher would say it."""
        truth = self.truth[part]
        return one_hot(truth, self.classes).astype(np.float64) if self.classes else truth[:, None].astype(np.float64)

    def blended(self, soft_weight: float) -> Floats:
        """What the labelled rows teach: so much of the teacher, and the rest of the truth."""
        return blended(self.answers["labelled"], self.form, truth=self.as_targets("labelled"), soft_weight=soft_weight)

    @cached_property
    def columns(self) -> dict[bool, dict[str, Any]]:
        """Every part as numbers, for students that weigh columns (True) and those that split them; learnt from labelled rows."""
        found = {}
        for scaled in (False, True):
            prepared = with_columns("passthrough", self.parts["labelled"], scaled=scaled, max_words=WORDS).fit(self.parts["labelled"])
            found[scaled] = {name: _dense(prepared.transform(rows)) for name, rows in self.parts.items()}
        return found


def lesson(problem: Problem, size: Size, seed: int) -> Lesson:
    """Draw a seed's labelled rows, validation rows and pool from all that are not test rows; train and ask the teacher."""
    classification = problem.task == "classification"
    truth = np.unique(problem.truth, return_inverse=True)[1] if classification else problem.truth
    every = np.arange(len(truth))
    test_rows = problem.test or min(size.test, int(0.3 * len(truth)))
    rest, test = (
        (every[: -problem.test], every[-problem.test :])
        if problem.test
        else train_test_split(every, test_size=test_rows, random_state=0, stratify=truth if classification else None)
    )
    if len(test) > size.test:
        test = np.random.default_rng(0).permutation(test)[: size.test]
    labelled_rows = min(size.labelled, 2 * len(rest) // 3)
    stratify = truth[rest] if classification else None
    labelled, rest = train_test_split(rest, train_size=labelled_rows, random_state=seed, stratify=stratify)
    validation, pool = rest[: size.validation], rest[size.validation :][: size.pool]
    parts = {name: _rows(problem.rows, where) for name, where in {"labelled": labelled, "validation": validation, "test": test}.items()}
    parts["transfer"] = (
        _rows(problem.rows, pool) if len(pool) >= labelled_rows else Munge().make(parts["labelled"], 2 * labelled_rows, seed=seed)
    )
    told = {"labelled": truth[labelled], "validation": truth[validation], "test": truth[test]}
    answers, form = _taught_by(problem, parts, told, seed)
    return Lesson(problem.task, parts, told, answers, form, int(truth.max()) + 1 if classification else 0)


def _taught_by(problem: Problem, parts: dict[str, Any], truth: dict[str, NDArray[Any]], seed: int) -> tuple[dict[str, Floats], AnswerForm]:
    prepared = with_columns("passthrough", parts["labelled"], scaled=isinstance(problem.rows, list)).fit(parts["labelled"])
    rows = {name: prepared.transform(part) for name, part in parts.items()}
    fresh = _teacher(problem, rows, truth, seed)
    teacher = as_teacher(fresh.fit(rows["labelled"], truth["labelled"]))
    answers = {name: query(teacher, rows[name]) for name in ("transfer", "test")}
    answers["labelled"] = out_of_fold_answers(fresh, teacher.form, rows["labelled"], truth["labelled"], folds=FOLDS, seed=seed)
    return answers, teacher.form


def _teacher(problem: Problem, rows: dict[str, Any], truth: dict[str, NDArray[Any]], seed: int) -> Any:
    """A strong unfitted model: calibrated support vectors for texts and pictures, boosted trees for frames."""
    if isinstance(problem.rows, list):
        return CalibratedClassifierCV(LinearSVC(), method="temperature", cv=3, ensemble=False)
    if not hasattr(problem.rows, "columns"):
        return CalibratedClassifierCV(SVC(C=10, gamma=1e-3), method="temperature", cv=3, ensemble=False)
    import lightgbm

    kind = lightgbm.LGBMClassifier if problem.task == "classification" else lightgbm.LGBMRegressor
    settings: dict[str, Any] = {"learning_rate": 0.05, "colsample_bytree": 0.8, "random_state": seed, "verbose": -1, "n_jobs": 1}
    stopped = kind(n_estimators=1000, **settings).fit(
        rows["labelled"],
        truth["labelled"],
        eval_X=rows["validation"],
        eval_y=truth["validation"],
        callbacks=[lightgbm.early_stopping(30, verbose=False)],
    )
    return kind(n_estimators=max(stopped.best_iteration_, 1), **settings)


def _rows(rows: Any, where: NDArray[np.intp]) -> Any:
    if isinstance(rows, list):
        return [rows[place] for place in where]
    return rows.iloc[where].reset_index(drop=True) if hasattr(rows, "iloc") else rows[where]


def _dense(matrix: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix, dtype=np.float32)
