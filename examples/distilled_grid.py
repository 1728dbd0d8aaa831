"""Use teacher and student as one estimator in a Pipeline and a grid search: python distilled_grid.py

The forest is passed unfitted: each fold of the search fits a forest on the training rows of that fold, so that nothing
leaks. A fitted teacher would be shared by all clones. Prints the chosen settings and the accuracy on test rows.
"""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tutelage as tl

LEAVES = [4, 8]


def main() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.4, random_state=0, stratify=y)
    tree = tl.SoftTree(random_state=0)
    forest = RandomForestClassifier(20, min_samples_leaf=3, random_state=0)

    tree_search = GridSearchCV(make_pipeline(StandardScaler(), tree), {"softtree__max_leaf_nodes": LEAVES}, cv=3).fit(X, y)
    distilled = make_pipeline(StandardScaler(), tl.DistilledClassifier(forest, tree, out_of_fold=2, random_state=0))
    grid = {
        "distilledclassifier__student__max_leaf_nodes": LEAVES,
        "distilledclassifier__soft_weight": [0.5, 1.0],
        "distilledclassifier__temperature": [1.0, 2.0],
    }
    distilled_search = GridSearchCV(distilled, grid, cv=3).fit(X, y)

    print(f"{len(X)} training rows, {len(X_test)} test rows")
    for name, search in {"tree only": tree_search, "distilled tree": distilled_search}.items():
        chosen = ", ".join(f"{setting.split('__')[-1]}={value:g}" for setting, value in search.best_params_.items())
        print(
            f"{name:20} accuracy {search.score(X_test, y_test):.3f} on test rows, {search.best_score_:.3f} in the search; chosen: {chosen}"
        )
    student = distilled_search.best_estimator_[-1].student_
    print(f"the student is a {type(student).__name__} of {student.tree_.get_n_leaves()} leaves, usable without the forest")
    print(f"it agrees with its forest on {agreement(distilled_search.best_estimator_, X_test):.1%} of the test rows")


def agreement(fitted: object, rows: object) -> float:
    scaled, last = fitted[:-1].transform(rows), fitted[-1]
    return float((last.predict(scaled) == last.classes_[last.teacher_.answer(scaled).argmax(axis=1)]).mean())


if __name__ == "__main__":
    main()
