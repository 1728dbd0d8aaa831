"""Students of every family, and random ones, small enough that thousands are fitted in minutes."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingRegressor, GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.training.stacks.networks import mlp
from tutelage.training.student import TorchStudent

CODES = {"handle_unknown": "use_encoded_value", "unknown_value": -1, "encoded_missing_value": -2}
NAMES: tuple[Callable[[int], Any], ...] = (
    lambda code: code - 1,
    lambda code: f"class {code}",
    lambda code: ("it's", 'say "so"', "back\\slash", "Grün ß", "<b>", "日本", "%d %s", "*/", "</script>")[code % 9] + str(code),
    float,
)
WORDS = ["red", "Red", "it's", "日本", "a b", "back\\slash", 'say "so"', "none", "0", "1.0", ""]
Case = tuple[Any, Any]


def scaled(step_of_numbers: list[str], step_of_texts: list[str]) -> Any:
    fill = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer((fill, step_of_numbers), (OneHotEncoder(handle_unknown="ignore"), step_of_texts))


def coded(texts: list[str]) -> Any:
    return make_column_transformer((OrdinalEncoder(**CODES), texts), remainder="passthrough")


def table(random: np.random.Generator, rows: int, gaps: float, words: int) -> pd.DataFrame:
    """Numbers and texts, with gaps."""
    cells: dict[str, Any] = {
        name: np.where(random.random(rows) < gaps, np.nan, random.normal(size=rows)) for name in ("size", "the weight")
    }
    for name in ("colour", "Größe"):
        texts = random.choice(WORDS[:words], rows).astype(object)
        texts[random.random(rows) < gaps] = np.nan
        cells[name] = texts
    return pd.DataFrame(cells)


def families() -> dict[str, Case]:
    """One student of each family that must be exported, with rows."""
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 4)).astype(np.float32).astype(np.float64)
    gaps = np.where(random.random(X.shape) < 0.1, np.nan, X)
    shares, binary = random.dirichlet(np.ones(3), 120), random.dirichlet(np.ones(2), 120)
    values, truth = X[:, 0] * X[:, 1], np.where(X[:, 0] > 0, "it's", "b")
    frame = table(random, 120, 0.1, 8)
    noise = tl.as_teacher(lambda rows: random.dirichlet([1, 2, 9], len(rows)), kind="probabilities", classes=range(3), version="a")
    on = tl.as_teacher(lambda rows: np.full((len(rows), 2), [0.2, 0.9]), kind="probabilities", task="multilabel", classes=range(2))
    texts = [" ".join(random.choice(["good", "bad", "Film", "naïve", "日本"], 4)) for _ in range(120)]
    both = make_pipeline(scaled(["size", "the weight"], ["colour", "Größe"]), LogisticRegression())
    codes = make_pipeline(coded(["colour", "Größe"]), DecisionTreeClassifier(max_depth=5, random_state=0))
    torch.manual_seed(0)
    pictures = random.normal(size=(40, 1, 6, 6)).astype(np.float32)
    layers = (torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(), torch.nn.Linear(27, 3))
    of_values = TorchStudent(mlp((4, 6, 2)), tl.losses.squared_error(against="labels"))
    return {
        "tree": (tl.SoftTree(max_leaf_nodes=12, random_state=0).fit(gaps, shares), gaps),
        "forest": (tl.SoftForest(n_estimators=4, max_leaf_nodes=12, random_state=0).fit(gaps, shares), gaps),
        "forest of values": (RandomForestRegressor(4, max_depth=4, random_state=0).fit(gaps, np.column_stack([values, -values])), gaps),
        "linear": (LinearRegression().fit(X, np.column_stack([values, X[:, 2]])), X),
        "logistic": (tl.SoftLogistic().fit(X, shares), X),
        "logistic of two": (LogisticRegression().fit(X, truth), X),
        "mlp": (tl.SoftMLP(hidden_layer_sizes=(6,), epochs=2, random_state=0).fit(X, shares), X),
        "gates": (tl.SoftDecisionTree(depth=3, epochs=2, random_state=0).fit(X, shares), X),
        "mixed gates": (tl.SoftDecisionTree(depth=2, epochs=2, answer="mixture", random_state=0).fit(X, binary), X),
        "network": (TorchStudent(mlp((4, 6, 3)), classes=range(3)), X.astype(np.float32)),
        "scaled network": (make_pipeline(StandardScaler(), tl.TorchClassifier(mlp((4, 6, 3)), epochs=1)).fit(X, shares), X),
        "network of labels": (tl.TorchClassifier(mlp((4, 6, 3)), epochs=1, multilabel=True).fit(X, shares), X),
        "scaled network of values": (tl.TorchRegressor(mlp((4, 6, 2)), epochs=1).fit(X, 100 + 9 * X[:, 1:3]), X),
        "network of values": (of_values.fit(X.astype(np.float32), y=X[:, 1:3], epochs=1, seed=0), X.astype(np.float32)),
        "boosting by lightgbm": (tl.SoftBoosting(n_estimators=4, random_state=0).fit(gaps, shares), gaps),
        "boosting by xgboost": (tl.SoftBoosting(engine="xgboost", n_estimators=4, random_state=0).fit(gaps, binary), gaps),
        "targets": (tl.SoftTargets(DecisionTreeClassifier(max_depth=4, random_state=0)).fit(gaps, shares), gaps),
        "labels": (tl.PerLabel(tl.SoftTree(max_leaf_nodes=5, random_state=0)).fit(gaps, shares[:, :2]), gaps),
        "matched": (tl.match_teacher_marginals(tl.SoftForest(n_estimators=4, random_state=0).fit(X, shares), noise, X), X),
        "matched labels": (tl.match_teacher_marginals(tl.PerLabel(tl.SoftLogistic()).fit(X, shares[:, :2]), on, X), X),
        "distilled": (tl.DistilledClassifier(LogisticRegression(), tl.SoftTree(max_leaf_nodes=8, random_state=0)).fit(X, truth), X),
        "distilled values": (tl.DistilledRegressor(Ridge(), RandomForestRegressor(3, max_depth=4, random_state=0)).fit(X, values), X),
        "one-hot columns": (both.fit(frame, truth), frame),
        "coded columns": (codes.fit(frame, truth), frame),
        "words": (make_pipeline(TfidfVectorizer(), tl.SoftLogistic()).fit(texts, shares), texts),
        "convolution": (TorchStudent(torch.nn.Sequential(*layers), classes=range(3)), pictures),
    }


def drawn(seed: int) -> Case:
    """A random student and random rows: many of them lie exactly on its splits."""
    random = np.random.default_rng(seed)
    rows, width = int(random.integers(30, 80)), int(random.integers(1, 6))
    X = random.normal(size=(rows, width)) * 10.0 ** random.integers(-3, 4)
    grid = float(np.abs(X).max()) / 32
    X = np.round(X / grid) * grid if random.random() < 0.6 else X
    X = X.astype(np.float32).astype(np.float64) if random.random() < 0.6 else X
    gaps = np.where(random.random(X.shape) < random.choice([0, 0.2]), np.nan, X)
    classes = int(random.choice([2, 3, 5, 30], p=[0.4, 0.3, 0.2, 0.1]))
    shares = random.dirichlet(np.full(classes, 0.5), rows)
    truth = np.array([NAMES[seed % len(NAMES)](code) for code in range(classes)])
    labels = truth[random.permutation(np.arange(rows) % classes)]
    seeded = {"random_state": seed}
    leaves = int(random.choice([2, 6, 30]))
    split = [
        lambda: tl.SoftTree(max_leaf_nodes=leaves, **seeded).fit(gaps, shares),
        lambda: tl.SoftForest(n_estimators=int(random.integers(1, 6)), max_leaf_nodes=leaves, **seeded).fit(gaps, shares),
        lambda: tl.SoftBoosting(n_estimators=3, num_leaves=max(2, leaves), **seeded).fit(gaps, shares),
        lambda: tl.SoftBoosting(engine="xgboost", n_estimators=3, num_leaves=max(2, leaves), **seeded).fit(gaps, shares),
        lambda: DecisionTreeClassifier(max_leaf_nodes=leaves, **seeded).fit(gaps, labels),
        lambda: RandomForestRegressor(3, max_leaf_nodes=leaves, **seeded).fit(gaps, shares),
        lambda: HistGradientBoostingRegressor(max_iter=3, min_samples_leaf=2, **seeded).fit(gaps, shares[:, 0]),
        lambda: tl.SoftTree(max_leaf_nodes=leaves, targets="logits", **seeded).fit(gaps, shares),
        lambda: tl.PerLabel(tl.SoftTree(max_leaf_nodes=leaves, **seeded)).fit(gaps, shares),
    ]
    smooth = [
        lambda: _stretched(tl.SoftLogistic().fit(X, shares), random),
        lambda: _stretched(LogisticRegression(max_iter=20).fit(X, labels), random),
        lambda: _stretched(Ridge().fit(X, shares), random),
        lambda: tl.SoftMLP(hidden_layer_sizes=(4,), epochs=1, **seeded).fit(X, shares),
        lambda: tl.SoftDecisionTree(depth=int(random.integers(1, 5)), epochs=1, **seeded).fit(X, shares),
        lambda: tl.DistilledClassifier(LogisticRegression(max_iter=20), tl.SoftTree(max_leaf_nodes=leaves, **seeded)).fit(X, labels),
        lambda: BaggingRegressor(Ridge(), 2, **seeded).fit(X, shares[:, 0]),
        lambda: GradientBoostingClassifier(n_estimators=2, **seeded).fit(X, labels),
    ]
    frame = table(random, rows, float(random.choice([0, 0.2])), int(random.integers(2, len(WORDS) + 1)))
    mixed = [
        lambda: make_pipeline(coded(["colour", "Größe"]), DecisionTreeClassifier(max_leaf_nodes=leaves, **seeded)).fit(frame, labels),
        lambda: make_pipeline(scaled(["size"], ["colour", "Größe"]), LogisticRegression(max_iter=20)).fit(frame, labels),
    ]
    kind = random.choice(3, p=[0.5, 0.3, 0.2])
    student, given = ((split, gaps), (smooth, X), (mixed, frame))[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return student[int(random.integers(len(student)))](), given


def _stretched(student: Any, random: np.random.Generator) -> Any:
    """A linear student with weights of an extreme size."""
    student.coef_ = student.coef_ * 10.0 ** random.integers(-8, 7)
    return student
