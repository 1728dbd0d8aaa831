"""A LightGBM Booster teaches one decision tree, which is exported and checked: python any_teacher.py

The teacher could as well be an XGBoost or CatBoost model, a torch network, an ONNX file or a function: see
tutelage.as_teacher. Prints a table; writes tree.onnx.
"""

from __future__ import annotations

import lightgbm
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tutelage as tl

LEAVES = 100
MADE = 5000


def main() -> None:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
    settings = {"objective": "multiclass", "num_class": 10, "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 40)

    teacher = tl.as_teacher(booster)  # knows what its numbers are: probabilities of classes 0 to 9
    made = tl.transfer.Munge().make(X, MADE, seed=0)  # rows that nobody labelled; the teacher does
    rows = np.concatenate([X, made])

    students = {
        "tree on labels": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(X, y),
        "tree on the teacher's answers": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(X, teacher.answer(X)),
        f"and to {MADE} made rows": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(rows, teacher.answer(rows)),
    }
    print(f"{len(X)} rows to learn from, {len(X_test)} to test; {LEAVES} leaves\n{'':32}{'accuracy':>26}{'agrees with the teacher':>26}")
    measured = {name: tl.evaluate(student, teacher, X_test, y_test, name=name, budget_seconds=None) for name, student in students.items()}
    for name, found in measured.items():
        print(f"{name:32}{told(found.against_truth['accuracy']):>26}{told(found.against_teacher['agreement']):>26}")
    print(f"{'the teacher itself':32}{told(found.teacher_against_truth['accuracy']):>26}\n")

    first, *_, best = measured.values()
    verdict = tl.compare(best, first)
    low, high = verdict.ci95
    print(f"taught against labels only: {100 * verdict.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}): {verdict.verdict}")
    parity = tl.export_onnx(list(students.values())[-1], "tree.onnx", check_on=X_test)
    print(f"tree.onnx answers as the tree does, up to {parity.worst_difference:.1g}")


def told(estimate: object) -> str:
    interval = estimate.interval
    return f"{estimate.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    main()
