"""Distil a LightGBM Booster into one decision tree, and export the tree: python any_teacher.py

The teacher could also be an XGBoost or CatBoost model, a torch network, an ONNX file or a function: see
tutelage.as_teacher. Prints a table and writes tree.onnx.
"""

from __future__ import annotations

import lightgbm
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tutelage as tl

LEAVES = 100
GENERATED = 5000


def main() -> None:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
    settings = {"objective": "multiclass", "num_class": 10, "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 40)

    teacher = tl.as_teacher(booster)  # a Booster declares its answers: probabilities of classes 0 to 9
    generated = tl.transfer.Munge().make(X, GENERATED, seed=0)  # unlabelled rows, which the teacher labels
    rows = np.concatenate([X, generated])

    students = {
        "tree on the true classes": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(X, y),
        "tree on the teacher's answers": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(X, teacher.answer(X)),
        f"with {GENERATED} generated rows": tl.SoftTree(max_leaf_nodes=LEAVES, random_state=0).fit(rows, teacher.answer(rows)),
    }
    print(f"{len(X)} training rows, {len(X_test)} test rows; {LEAVES} leaves\n{'':32}{'accuracy':>26}{'agreement with teacher':>26}")
    measured = {name: tl.evaluate(student, teacher, X_test, y_test, name=name, budget_seconds=None) for name, student in students.items()}
    for name, found in measured.items():
        print(f"{name:32}{with_interval(found.against_truth['accuracy']):>26}{with_interval(found.against_teacher['agreement']):>26}")
    print(f"{'the teacher':32}{with_interval(found.teacher_against_truth['accuracy']):>26}\n")

    first, *_, best = measured.values()
    comparison = tl.compare(best, first)
    points, low, high = (100 * value for value in (comparison.difference, *comparison.ci95))
    print(f"with generated rows against true classes: {points:+.1f} points ({low:+.1f} to {high:+.1f}): {comparison.verdict}")
    (proof,) = tl.export(list(students.values())[-1], "tree.onnx", check_on=X_test).proofs
    print(f"the answers of tree.onnx differ from those of the tree by at most {proof.worst_difference:.1g}")


def with_interval(estimate: object) -> str:
    interval = estimate.interval
    return f"{estimate.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


if __name__ == "__main__":
    main()
