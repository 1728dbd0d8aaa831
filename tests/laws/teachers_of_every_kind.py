"""A teacher of every kind that tutelage takes, on rows of every kind, small enough to be made in a second together."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import torch
import xgboost
from scipy.sparse import csr_array
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tutelage.core.arrays import sigmoid, softmax
from tutelage.core.contracts import Teacher
from tutelage.softlabels.logs import read_answers
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.ensembles import ensemble
from tutelage.teachers.relabel import relabelled

RNG = np.random.default_rng(0)
ROWS = 90
X = RNG.normal(size=(ROWS, 4))
WEIGHTS = RNG.normal(size=(4, 3)) * 3
LOGITS = X @ WEIGHTS
NAMES = ("cat", "ant", "bee")  # not in sorted order: whoever sorts them mixes them up
CODES = LOGITS.argmax(axis=1)
LABELS = np.array(NAMES)[CODES]
YES = LOGITS[:, 0] > 0
ON = (LOGITS > 0).astype(int)
VALUES, MANY = LOGITS[:, 0], LOGITS[:, :2]

MIXED = pd.DataFrame(X[:, :3], columns=["width", "height", "depth"]).assign(side=np.where(X[:, 3] > 0, "left", "right"))
POLARS = pl.DataFrame(X, schema=["width", "height", "depth", "mass"])
SPARSE = csr_array(np.where(np.abs(X) > 0.3, X, 0))
WORDS = (["purr", "mouse", "milk"], ["hill", "queen", "leaf"], ["hive", "honey", "bloom"])
TEXTS = [" ".join([*RNG.choice(WORDS[code], 3), *RNG.choice(["the", "a", "some"], 2), f"no{row}"]) for row, code in enumerate(CODES)]


@dataclass(frozen=True)
class TeachingCase:
    """A teacher and rows that it knows.

    Attributes:
        teacher: who answers.
        rows: about what.
        of: "numbers", "sparse" or "texts" go to a student as they are; a "mixed" frame needs its columns prepared.
    """

    teacher: Teacher
    rows: Any = None
    of: str = "numbers"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", X if self.rows is None else self.rows)


Make = Callable[[Path], TeachingCase]
BOOSTED: dict[str, Any] = {"n_estimators": 8, "n_jobs": 1}
CAT: dict[str, Any] = {"iterations": 8, "thread_count": 1, "verbose": False, "allow_writing_files": False}


def network(outputs: int) -> torch.nn.Module:
    """Answers the first of the true logits."""
    linear = torch.nn.Linear(4, outputs)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(WEIGHTS.T[:outputs]))
        linear.bias.zero_()
    return torch.nn.Sequential(linear, torch.nn.Dropout())  # in train mode it would answer otherwise each time


def onnx_file(model: Any, folder: Path) -> Path:
    path = folder / "teacher.onnx"
    path.write_bytes(
        to_onnx(model, X[:1].astype(np.float32), options={"zipmap": False} if hasattr(model, "classes_") else None).SerializeToString()
    )
    return path


def lines(folder: Path, entries: list[dict[str, Any]]) -> Path:
    path = folder / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, entries)))
    return path


def lightgbm_booster(labels: Any, **settings: Any) -> Any:
    train = lightgbm.Dataset(X, labels, params={"verbosity": -1})
    return lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, **settings}, train, 8)


def xgboost_booster(labels: Any, **settings: Any) -> Any:
    return xgboost.train({"nthread": 1, **settings}, xgboost.DMatrix(X, labels), 8)


def catboost_model(labels: Any, **settings: Any) -> Any:
    return catboost.CatBoost({**CAT, **settings}).fit(X, labels)


def logistic(labels: Any = LABELS, rows: Any = X) -> Any:
    return LogisticRegression().fit(rows, labels)


def bayes(labels: Any) -> Any:
    return RandomForestClassifier(10, random_state=0).fit(X, labels)


def fitted_to_mixed() -> Any:
    columns = make_column_transformer((OneHotEncoder(), ["side"]), (StandardScaler(), ["width", "height", "depth"]))
    return make_pipeline(columns, LogisticRegression()).fit(MIXED, LABELS)


def fitted_to_texts() -> Any:
    return make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(TEXTS, LABELS)


def logged_probabilities(folder: Path) -> Teacher:
    path = folder / "log.csv"
    pd.DataFrame(softmax(LOGITS), columns=NAMES).to_csv(path, index=False)
    return read_answers(path, answers=NAMES, kind="probabilities", data=X)


def logged_votes(folder: Path) -> Teacher:
    votes = [RNG.choice(NAMES, 5, p=p).tolist() for p in softmax(LOGITS)]
    path = lines(folder, [{"text": text, "votes": cast} for text, cast in zip(TEXTS, votes, strict=True)])
    return read_answers(path, answers="votes", kind="votes", content="text", smoothing=0.1)


def logged_top_two(folder: Path) -> Teacher:
    p = softmax(LOGITS)
    said = [{NAMES[column]: float(row[column]) for column in row.argsort()[1:]} for row in p]
    return read_answers(lines(folder, [{"p": top} for top in said]), answers="p", kind="probabilities", data=X, classes=NAMES)


def logged_values(folder: Path) -> Teacher:
    path = lines(folder, [{"id": row, "value": value} for row, value in reversed(list(enumerate(VALUES.tolist())))])
    return read_answers(path, answers="value", kind="values", data=X, ids=range(ROWS), id_column="id")


def functional(rows: Any) -> Any:
    return softmax(np.asarray(rows) @ WEIGHTS)


def members() -> list[Any]:
    return [logistic(), as_teacher(network(3), classes=NAMES)]  # in two orders


OF_CLASSES: dict[str, Make] = {
    "scikit-learn classifier": lambda _: TeachingCase(as_teacher(bayes(LABELS))),
    "pipeline": lambda _: TeachingCase(as_teacher(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS))),
    "pandas": lambda _: TeachingCase(as_teacher(fitted_to_mixed()), MIXED, "mixed"),
    "polars": lambda _: TeachingCase(as_teacher(logistic(rows=POLARS)), POLARS),
    "sparse": lambda _: TeachingCase(as_teacher(logistic(rows=SPARSE)), SPARSE, "sparse"),
    "texts": lambda _: TeachingCase(as_teacher(fitted_to_texts()), TEXTS, "texts"),
    "XGBClassifier": lambda _: TeachingCase(as_teacher(xgboost.XGBClassifier(**BOOSTED).fit(X, CODES))),
    "xgboost.Booster": lambda _: TeachingCase(as_teacher(xgboost_booster(CODES, objective="multi:softprob", num_class=3), classes=NAMES)),
    "xgboost.Booster of two classes": lambda _: TeachingCase(
        as_teacher(xgboost_booster(YES, objective="binary:logistic"), classes=("no", "yes"))
    ),
    "LGBMClassifier": lambda _: TeachingCase(
        as_teacher(lightgbm.LGBMClassifier(verbosity=-1, min_child_samples=5, **BOOSTED).fit(X, LABELS))
    ),
    "lightgbm.Booster": lambda _: TeachingCase(as_teacher(lightgbm_booster(CODES, objective="multiclass", num_class=3), classes=NAMES)),
    "lightgbm.Booster of two classes": lambda _: TeachingCase(as_teacher(lightgbm_booster(YES, objective="binary"))),
    "CatBoostClassifier": lambda _: TeachingCase(as_teacher(catboost.CatBoostClassifier(**CAT).fit(X, LABELS))),
    "catboost.CatBoost": lambda _: TeachingCase(as_teacher(catboost_model(LABELS, loss_function="MultiClass"))),
    "torch Module": lambda _: TeachingCase(as_teacher(network(3), classes=NAMES)),
    "torch Module of one logit": lambda _: TeachingCase(as_teacher(network(1), classes=("no", "yes"))),
    "ONNX file": lambda folder: TeachingCase(as_teacher(onnx_file(bayes(LABELS), folder))),
    "function": lambda _: TeachingCase(as_teacher(functional, kind="probabilities", classes=NAMES)),
    "ensemble, arithmetic": lambda _: TeachingCase(ensemble(members())),
    "ensemble, geometric": lambda _: TeachingCase(ensemble(members(), how="geometric", weights=[1, 2])),
    "relabelled": lambda _: TeachingCase(relabelled(logistic(), (3, 1, 2), rename={"cat": 1, "ant": 2, "bee": 3})),
    "logged probabilities": lambda folder: TeachingCase(logged_probabilities(folder)),
    "logged votes": lambda folder: TeachingCase(logged_votes(folder), TEXTS, "texts"),
    "logged top-k": lambda folder: TeachingCase(logged_top_two(folder)),
    "recorded folder": lambda folder: TeachingCase(
        record(as_teacher(network(3), classes=NAMES), X, folder / "labels", dtype="float16", shard_rows=40)
    ),
}

OF_LABELS: dict[str, Make] = {
    "scikit-learn, one output": lambda _: TeachingCase(as_teacher(OneVsRestClassifier(LogisticRegression()).fit(X, ON), classes=NAMES)),
    "scikit-learn, a list": lambda _: TeachingCase(as_teacher(bayes(ON), classes=NAMES)),
    "torch Module": lambda _: TeachingCase(as_teacher(network(3), classes=NAMES, task="multilabel")),
    "function": lambda _: TeachingCase(
        as_teacher(lambda rows: sigmoid(rows @ WEIGHTS), kind="probabilities", classes=NAMES, task="multilabel")
    ),
    "recorded folder": lambda folder: TeachingCase(record(as_teacher(bayes(ON)), X, folder / "labels", dtype="float16")),
}

OF_VALUES: dict[str, Make] = {
    "scikit-learn regressor": lambda _: TeachingCase(as_teacher(RandomForestRegressor(10, random_state=0).fit(X, VALUES))),
    "polars": lambda _: TeachingCase(as_teacher(LinearRegression().fit(POLARS, VALUES)), POLARS),
    "XGBRegressor": lambda _: TeachingCase(as_teacher(xgboost.XGBRegressor(**BOOSTED).fit(X, VALUES))),
    "xgboost.Booster": lambda _: TeachingCase(as_teacher(xgboost_booster(VALUES, objective="reg:squarederror"))),
    "LGBMRegressor": lambda _: TeachingCase(
        as_teacher(lightgbm.LGBMRegressor(verbosity=-1, min_child_samples=5, **BOOSTED).fit(X, VALUES))
    ),
    "lightgbm.Booster": lambda _: TeachingCase(as_teacher(lightgbm_booster(VALUES, objective="regression"))),
    "CatBoostRegressor": lambda _: TeachingCase(as_teacher(catboost.CatBoostRegressor(**CAT).fit(X, VALUES))),
    "catboost.CatBoost": lambda _: TeachingCase(as_teacher(catboost_model(VALUES, loss_function="RMSE"))),
    "torch Module": lambda _: TeachingCase(as_teacher(network(1), task="regression")),
    "ONNX file": lambda folder: TeachingCase(as_teacher(onnx_file(LinearRegression().fit(X, VALUES), folder), kind="values")),
    "function": lambda _: TeachingCase(as_teacher(lambda rows: rows @ WEIGHTS[:, 0], kind="values")),
    "ensemble": lambda _: TeachingCase(
        ensemble([LinearRegression().fit(X, VALUES), RandomForestRegressor(5, random_state=0).fit(X, VALUES)])
    ),
    "logged values": lambda folder: TeachingCase(logged_values(folder)),
    "recorded folder": lambda folder: TeachingCase(record(as_teacher(LinearRegression().fit(X, VALUES)), X, folder / "labels")),
    "many outputs": lambda _: TeachingCase(as_teacher(RandomForestRegressor(10, random_state=0).fit(X, MANY))),
    "torch Module of many outputs": lambda _: TeachingCase(as_teacher(network(2), task="regression")),
    "function of many outputs": lambda _: TeachingCase(as_teacher(lambda rows: rows @ WEIGHTS[:, :2], kind="values")),
    "recorded many outputs": lambda folder: TeachingCase(record(as_teacher(LinearRegression().fit(X, MANY)), X, folder / "labels")),
}
