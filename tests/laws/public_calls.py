"""The public functions, with arguments that are right."""

import json
import tempfile
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeRegressor
from wrong_calls import Door

import tutelage as tl

ROWS, FEATURES = 24, 3


@cache
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES))
    y = (X[:, 0] > 0).astype(int)
    on = 1 / (1 + np.exp(-2 * X[:, 0]))
    values = X @ np.arange(1.0, FEATURES + 1)
    student = tl.SoftTree(max_leaf_nodes=4, random_state=0).fit(X, y)
    teacher = LogisticRegression().fit(X, y)
    return {
        "X": X,
        "y": y,
        "P": np.column_stack([1 - on, on]),
        "Z": np.column_stack([np.zeros(ROWS), 2 * X[:, 0]]),
        "values": values,
        "student": student,
        "teacher": teacher,
        "regressor": DecisionTreeRegressor(random_state=0).fit(X, values),
        "evaluation": tl.evaluate(student, teacher, X, y, budget_seconds=None, resamples=100),
    }


def the(name: str) -> Callable[[], Any]:
    return lambda: data()[name]


def always(value: Any) -> Callable[[], Any]:
    return lambda: value


NUMBERS = count()


def anew(path: Path) -> str:
    """A name in a folder that was not used yet."""
    return str(path / f"new-{next(NUMBERS)}")


X, Y, P, VALUES = ("rows", the("X")), ("targets", the("y")), ("targets", the("P")), ("targets", the("values"))
TEACHER, STUDENT = ("model", the("teacher")), ("model", the("student"))
NUMBER, SEED = partial(lambda value: ("number", always(value))), ("size", always(0))
CLASSES = ("classes", always(["no", "yes"]))
TENSORS = {name: ("targets", lambda name=name: torch.tensor(data()[name], dtype=torch.float32)) for name in ("P", "Z", "values")}


def probabilities_after(kind: Any, **settings: tuple[str, Callable[[], Any]]) -> Door:
    """A student that is made, fitted and asked."""

    def call(X: Any, y: Any, sample_weight: Any, at: Any, **given: Any) -> Any:
        return kind(**given).fit(X, y, sample_weight=sample_weight).predict_proba(at)

    return Door(call, {"X": X, "y": P, "sample_weight": ("targets", lambda: np.ones(ROWS)), "at": X, **settings})


def line(inputs: int, outputs: int, bias: bool) -> torch.nn.Module:
    """A network of one layer."""
    return torch.nn.Linear(inputs, outputs, bias=bias)


TREE = {
    "max_leaf_nodes": ("count", always(4)),
    "max_depth": ("count", always(3)),
    "min_samples_leaf": ("number", always(2)),
    "min_impurity_decrease": ("number", always(0.0)),
    "max_features": ("name", always("sqrt")),
    "targets": ("name", always("logits")),
    "smallest_probability": ("number", always(1e-3)),
    "random_state": ("count", always(0)),
}


def students() -> dict[str, Door]:
    boosting = {
        "n_estimators": ("size", always(2)),
        "learning_rate": ("number", always(0.1)),
        "num_leaves": ("size", always(4)),
        "max_depth": ("count", always(2)),
        "min_child_weight": ("number", always(0.1)),
        "reg_lambda": ("number", always(0.1)),
        "subsample": ("number", always(0.9)),
        "colsample_bytree": ("number", always(0.9)),
        "max_bin": ("size", always(15)),
        "n_jobs": ("count", always(1)),
        "random_state": ("count", always(0)),
    }
    mlp = {
        "hidden_layer_sizes": ("value", always((4,))),
        "learning_rate": ("number", always(0.01)),
        "epochs": ("size", always(1)),
        "batch_size": ("count", always(8)),
        "l2": ("number", always(0.0)),
        "standardise": ("switch", always(True)),
        "validation_fraction": ("number", always(0.2)),
        "random_state": ("count", always(0)),
    }
    gates = {
        "depth": ("count", always(2)),
        "sharpness": ("number", always(1.0)),
        "penalty": ("number", always(0.1)),
        "answer": ("name", always("mixture")),
        "learning_rate": ("number", always(0.01)),
        "epochs": ("size", always(1)),
        "batch_size": ("count", always(8)),
        "standardise": ("switch", always(True)),
        "n_jobs": ("count", always(1)),
        "random_state": ("count", always(0)),
    }
    network = {
        "module": ("model", always(line)),
        "learning_rate": ("number", always(0.01)),
        "weight_decay": ("number", always(0.0)),
        "epochs": ("size", always(2)),
        "batch_size": ("count", always(8)),
        "validation_fraction": ("number", always(0.2)),
        "patience": ("count", always(1)),
        "random_state": ("count", always(0)),
        "bias": ("switch", always(True)),
    }
    logistic = {
        "C": ("number", always(1.0)),
        "fit_intercept": ("switch", always(True)),
        "tol": ("number", always(1e-4)),
        "max_iter": ("count", always(50)),
    }
    distilled = {
        "teacher": TEACHER,
        "student": ("model", lambda: tl.SoftTree(max_leaf_nodes=3)),
        "soft_weight": ("number", always(0.5)),
        "transfer": ("value", tl.transfer.Jitter),
        "transfer_rows": ("number", always(5)),
        "random_state": ("count", always(0)),
    }
    regressor = {**distilled, "teacher": ("model", the("regressor")), "student": ("model", lambda: DecisionTreeRegressor(max_depth=2))}

    def classifies(X: Any, y: Any, sample_weight: Any, at: Any, **given: Any) -> Any:
        return tl.DistilledClassifier(**given).fit(X, y, sample_weight=sample_weight).predict_proba(at)

    def regresses(X: Any, y: Any, at: Any, **given: Any) -> Any:
        return tl.DistilledRegressor(**given).fit(X, y).predict(at)

    def values_of_network(X: Any, y: Any, sample_weight: Any, at: Any, **given: Any) -> Any:
        return tl.TorchRegressor(**given).fit(X, y, sample_weight=sample_weight).predict(at)

    weights = {"sample_weight": ("targets", lambda: np.ones(ROWS))}
    return {
        "SoftTree": probabilities_after(tl.SoftTree, **TREE),
        "SoftForest": probabilities_after(
            tl.SoftForest, **TREE, n_estimators=("size", always(2)), bootstrap=("switch", always(True)), n_jobs=("count", always(1))
        ),
        "SoftLogistic": probabilities_after(tl.SoftLogistic, **logistic),
        "SoftBoosting": probabilities_after(tl.SoftBoosting, engine=("name", always("lightgbm")), **boosting),
        "SoftBoosting with XGBoost": probabilities_after(tl.SoftBoosting, engine=("name", always("xgboost")), **boosting),
        "SoftMLP": probabilities_after(tl.SoftMLP, **mlp),
        "SoftDecisionTree": probabilities_after(tl.SoftDecisionTree, **gates),
        "TorchClassifier": probabilities_after(tl.TorchClassifier, **network),
        "TorchRegressor": Door(values_of_network, {"X": X, "y": VALUES, **weights, "at": X, **network}),
        "SoftTargets": probabilities_after(tl.SoftTargets, estimator=("model", LogisticRegression), negligible=("number", always(0.01))),
        "PerLabel": probabilities_after(tl.PerLabel, estimator=("model", lambda: tl.SoftTree(max_leaf_nodes=3))),
        "DistilledClassifier": Door(classifies, {"X": X, "y": Y, "at": X, **weights, **distilled, "temperature": ("number", always(2.0))}),
        "DistilledRegressor": Door(regresses, {"X": X, "y": VALUES, "at": X, **regressor}),
        "match_teacher_marginals": Door(
            lambda student, teacher, unlabelled: tl.match_teacher_marginals(student, teacher, unlabelled).predict_proba(unlabelled),
            {"student": ("model", lambda: tl.SoftLogistic().fit(data()["X"], data()["P"])), "teacher": TEACHER, "unlabelled": X},
        ),
    }


def answers() -> dict[str, Door]:
    def form(kind: Any, task: Any, classes: Any, answers: Any, rows: Any) -> Any:
        return tl.AnswerForm(kind, task, classes).check(answers, rows)

    def teacher(classes: Any, kind: Any, task: Any, version: Any, inputs: Any) -> Any:
        return tl.as_teacher(
            lambda rows: np.tile([1.0, 2.0], (len(rows), 1)), classes=classes, kind=kind, task=task, version=version
        ).answer(inputs)

    return {
        "AnswerForm": Door(
            form,
            {
                "kind": ("name", always("probabilities")),
                "task": ("name", always("binary")),
                "classes": CLASSES,
                "answers": P,
                "rows": ("count", always(ROWS)),
            },
        ),
        "soften": Door(tl.soften, {"logits": ("targets", the("Z")), "temperature": NUMBER(2.0)}),
        "temper": Door(tl.temper, {"probabilities": P, "temperature": NUMBER(2.0)}),
        "untemper": Door(tl.untemper, {"tempered_probs": P, "temperature": NUMBER(2.0)}),
        "as_teacher": Door(
            teacher,
            {
                "classes": CLASSES,
                "kind": ("name", always("logits")),
                "task": ("name", always("binary")),
                "version": ("text", always("1")),
                "inputs": X,
            },
        ),
        "as_teacher of a model": Door(lambda model, inputs: tl.as_teacher(model).answer(inputs), {"model": TEACHER, "inputs": X}),
        "ensemble": Door(
            lambda teachers, how, weights, inputs: tl.ensemble(teachers, how=how, weights=weights).answer(inputs),
            {
                "teachers": ("value", lambda: [data()["teacher"], data()["student"]]),
                "how": ("name", always("geometric")),
                "weights": ("targets", always([1.0, 2.0])),
                "inputs": X,
            },
        ),
        "relabelled": Door(
            lambda teacher, classes, rename, missing, extra, inputs: tl.relabelled(
                teacher, classes, rename=rename, missing=missing, extra=extra
            ).answer(inputs),
            {
                "teacher": TEACHER,
                "classes": CLASSES,
                "rename": ("mapping", always({0: "no", 1: "yes"})),
                "missing": ("name", always("zero")),
                "extra": ("name", always("error")),
                "inputs": X,
            },
        ),
        "check_teacher": Door(
            lambda teacher, inputs, tolerance: tl.check_teacher(tl.as_teacher(teacher), inputs, tolerance=tolerance),
            {"teacher": TEACHER, "inputs": X, "tolerance": NUMBER(1e-3)},
        ),
        "preflight": Door(
            tl.preflight,
            {
                "teacher": TEACHER,
                "data": X,
                "labels": Y,
                "test": X,
                "test_labels": Y,
                "train": X,
                "student": ("value", always(None)),
                "drop": ("columns", always(())),
                "seed": SEED,
                "rows": ("count", always(10)),
            },
            lambda result: None,
        ),
    }


def stored(folder: Path) -> dict[str, Door]:
    log = folder / "log.jsonl"
    log.write_text("\n".join(json.dumps({"id": i, "p": {"a": 0.25, "b": 0.75}}) for i in range(ROWS)))
    labels = str(tl.record(data()["teacher"], data()["X"], folder / "labels").path)
    saved = str(tl.save_student(data()["student"], folder / "student"))

    def record(teacher: Any, data: Any, into: Any, **options: Any) -> Any:
        return tl.record(teacher, data, into, **options).answer(data)

    return {
        "record": Door(lambda teacher, data: tl.record(teacher, data).answers, {"teacher": TEACHER, "data": X}),
        "record into a folder": Door(
            record,
            {
                "teacher": TEACHER,
                "data": X,
                "into": ("path", partial(anew, folder)),
                "dtype": ("name", always("float64")),
                "shard_rows": ("count", always(10)),
                "advance": ("value", always(lambda: None)),
            },
        ),
        "record the most likely classes": Door(
            record, {"teacher": TEACHER, "data": X, "into": ("path", partial(anew, folder)), "top_k": ("size", always(1))}
        ),
        "open_labels": Door(lambda path, inputs: tl.open_labels(path).answer(inputs), {"path": ("path", always(labels)), "inputs": X}),
        "read_answers": Door(
            lambda **given: tl.read_answers(**given).answers,
            {
                "source": ("path", always(log)),
                "answers": ("columns", always("p")),
                "kind": ("name", always("probabilities")),
                "data": X,
                "id_column": ("columns", always("id")),
                "ids": ("value", always(list(range(ROWS)))),
                "classes": ("classes", always(["a", "b"])),
                "task": ("name", always("binary")),
                "rest": ("name", always(None)),
                "repeated": ("name", always("mean")),
                "smoothing": NUMBER(0.0),
                "mapping": ("mapping", always({})),
            },
        ),
        "save_student": Door(
            lambda student, path: tl.save_student(student, path).name and None,
            {"student": STUDENT, "path": ("path", partial(anew, folder))},
        ),
        "load_student": Door(lambda path, X: tl.load_student(path).predict_proba(X), {"path": ("path", always(saved)), "X": X}),
        "open_teacher": Door(
            lambda name, trust, X: tl.open_teacher(name, trust=trust).answer(X),
            {"name": ("path", always("sklearn.linear_model:LogisticRegression")), "trust": ("switch", always(False)), "X": X},
        ),
    }  # fmt: skip


def measured() -> dict[str, Door]:
    def figures(evaluation: Any) -> Any:
        return [found.value for group in (evaluation.against_truth, evaluation.against_teacher) for found in group.values()]

    scores = {"a": ("targets", lambda: np.arange(12.0).reshape(3, 4) % 5), "b": ("targets", lambda: np.zeros((3, 4)))}
    pair = {"target": P, "student_probs": P}
    drawn = {"name": ("text", always("tree")), "ax": ("value", lambda: Figure().subplots())}
    of_bins = {"bins": ("size", always(5)), "binning": ("name", always("equal-mass"))}
    confidence = {"confidence": ("targets", lambda: data()["P"].max(axis=1)), "outcome": ("targets", lambda: data()["y"].astype(float))}
    return {
        "evaluate": Door(
            tl.evaluate,
            {
                "student": STUDENT,
                "teacher": TEACHER,
                "X": X,
                "y": Y,
                "sample_weight": ("targets", lambda: np.ones(ROWS)),
                "seed": SEED,
                "name": ("text", always("tree")),
                "resamples": ("size", always(100)),
                **of_bins,
                "floor": NUMBER(1e-7),
                "size_bytes": ("count", always(100)),
                "budget_seconds": ("name", always(None)),
            },
            figures,
        ),
        "compare": Door(
            tl.compare,
            {
                "a": STUDENT,
                "b": TEACHER,
                "X": X,
                "y": Y,
                "teacher": TEACHER,
                "metric": ("name", always("brier")),
                "against": ("name", always("teacher")),
            },
            lambda result: [result.difference, *result.ci95],
        ),
        "paired_difference": Door(
            lambda a, b, shared_rows, largest: tl.paired_difference(a, b, shared_rows=shared_rows, largest=largest),
            {**scores, "shared_rows": ("switch", always(True)), "largest": NUMBER(5.0)},
        ),
        "brier": Door(tl.metrics.brier, pair),
        "cross_entropy": Door(tl.metrics.cross_entropy, {**pair, "floor": NUMBER(1e-7)}),
        "kl_nats": Door(tl.metrics.kl_nats, {"teacher_probs": P, "student_probs": P, "floor": NUMBER(1e-7)}),
        "expected_calibration_error": Door(tl.metrics.expected_calibration_error, {**confidence, **of_bins}),
        "reliability_curve": Door(tl.metrics.reliability_curve, {**confidence, **of_bins, "weights": ("targets", lambda: np.ones(ROWS))}),
        "AgreementDisplay": Door(
            tl.displays.AgreementDisplay.from_predictions,
            {
                "teacher_labels": Y,
                "student_labels": Y,
                "classes": ("classes", always([0, 1])),
                **drawn,
            },
            lambda display: display.shares,
        ),
        "FidelityDisplay": Door(
            tl.displays.FidelityDisplay.from_predictions,
            {
                "teacher": P,
                "student": P,
                "task": ("name", always("binary")),
                **drawn,
            },
            lambda display: [display.teacher, display.student],
        ),
        "ReliabilityDisplay": Door(
            tl.displays.ReliabilityDisplay.from_predictions,
            {
                "target": Y,
                "student_probs": P,
                "classes": ("classes", always([0, 1])),
                "against": ("name", always("truth")),
                **of_bins,
                **drawn,
            },
            lambda display: list(display.ece.values()),
        ),
    }


def made() -> dict[str, Door]:
    asked = {"X": X, "rows": ("size", always(10)), "seed": ("size", always(0))}

    def known(rows: Any) -> Any:
        """The cells that are numbers; a missing cell of X may stay missing."""
        array = np.asarray(rows)
        return array[~np.isnan(array)] if array.dtype.kind == "f" else None

    def of(kind: Any, **settings: tuple[str, Callable[[], Any]]) -> Door:
        def call(X: Any, rows: Any, seed: Any, **given: Any) -> Any:
            return kind(**given).make(X, rows, seed=seed)

        return Door(call, {**asked, **settings}, known)

    def views(data: Any, count: Any, seed: Any, plain_first: Any, **bounds: Any) -> Any:
        return tl.transfer.Views(data, tl.transfer.Affine(**bounds), count=count, seed=seed, plain_first=plain_first).view(1, slice(None))

    images = ("targets", lambda: np.random.default_rng(0).random((4, 6, 6)))
    bounds = {name: NUMBER(0.1) for name in ("degrees", "zoom", "shear", "shift")}
    categorical = ("columns", always(()))
    return {
        "Jitter": of(tl.transfer.Jitter, noise=NUMBER(0.1), resample=NUMBER(0.1), categorical=categorical),
        "Mixup": of(tl.transfer.Mixup, concentration=NUMBER(1.0)),
        "Munge": of(tl.transfer.Munge, swap_probability=NUMBER(0.5), local_variance=NUMBER(1.0), categorical=categorical),
        "UniformNoise": of(tl.transfer.UniformNoise, categorical=categorical),
        "UnlabelledPool": Door(
            lambda pool, X, rows, seed: tl.transfer.UnlabelledPool(pool).make(X, rows, seed=seed), {"pool": X, **asked}, lambda rows: None
        ),
        "Views": Door(
            views,
            {"data": images, **bounds, "count": ("count", always(3)), "seed": SEED, "plain_first": ("switch", always(False))},
            lambda rows: None,
        ),
    }


def searched() -> dict[str, Door]:
    sweep = {
        "student": ("model", lambda: tl.training.mlp((FEATURES, 2))),
        "X": X,
        "labels": TEACHER,
        "y": Y,
        "temperature": ("number", always([1.0, 2.0])),
        "soft_weight": ("number", always(0.5)),
        "lr": ("number", always(0.01)),
        "seed": ("count", always([0])),
        "validation": ("number", always(0.25)),
        "batch_seed": ("count", always(0)),
        "stack_size": ("count", always(2)),
        "epochs": ("count", always(1)),
        "batch_size": ("count", always(8)),
        "objective": ("function", always(None)),
        "device": ("value", always("cpu")),
    }
    curve = {
        "teacher": TEACHER,
        "student": ("model", lambda: tl.SoftTree(max_leaf_nodes=3)),
        "X": X,
        "transfer": ("value", tl.transfer.Jitter),
        "validation": X,
        "rows": ("value", always((0, 1.0))),
        "seeds": ("size", always(2)),
        "measure": ("name", always("kl_nats")),
        "temperature": NUMBER(2.0),
        "tolerance": NUMBER(0.0),
        "patience": ("count", always(2)),
    }
    return {
        "sweep": Door(tl.sweep, sweep, lambda found: found.students[0].predict_proba(data()["X"])),
        "transfer_curve": Door(tl.transfer_curve, curve, lambda found: [point.scores for point in found.points]),
    }


def trained() -> dict[str, Door]:
    def fit(network: Any, classes: Any, output: Any, X: Any, labels: Any, y: Any, at: Any, **settings: Any) -> Any:
        objective = 0.5 * tl.losses.soft_cross_entropy() + 0.5 * tl.losses.hard_cross_entropy()
        student = tl.TorchStudent(network, objective, classes=classes, output=output)
        return student.fit(X, labels, y, **settings).predict_proba(at)

    settings = {
        "epochs": ("count", always(1)),
        "batch_size": ("count", always(8)),
        "seed": ("count", always(0)),
        "patience": ("count", always(None)),
        "clip_norm": NUMBER(1.0),
        "average": NUMBER(0.9),
        "precision": ("name", always("float32")),
        "compile": ("switch", always(False)),
        "threads": ("count", always(1)),
        "checkpoint_steps": ("count", always(0)),
        "optimizer": ("function", lambda: partial(torch.optim.SGD, lr=0.1)),
        "schedule": ("function", always(tl.training.one_cycle)),
        "validation": ("number", always(0.25)),
        "device": ("value", always("cpu")),
        "backend": ("value", always(None)),
        "checkpoints": ("path", always(None)),
        "callbacks": ("value", always([])),
        "progress": ("switch", always(False)),
    }
    network = {"network": ("model", lambda: tl.training.mlp((FEATURES, 2))), "classes": ("classes", always([0, 1]))}
    return {
        "TorchStudent": Door(
            fit, {**network, "output": ("function", always(None)), "X": X, "labels": TEACHER, "y": Y, "at": X, **settings}
        ),
        "mlp": Door(tl.training.mlp, {"sizes": ("value", always((3, 4, 2)))}, lambda network: [*network.parameters()]),
        "load_weights": Door(
            tl.load_weights, {"network": network["network"], "path": ("path", always("no.safetensors"))}, lambda network: None
        ),
    }


def losses() -> dict[str, Door]:
    scale = {"temperature": NUMBER(2.0)}
    terms: dict[str, dict[str, tuple[str, Callable[[], Any]]]] = {
        "soft_cross_entropy": scale,
        "kl_divergence": scale,
        "reverse_kl": scale,
        "jensen_shannon": {**scale, "teacher_share": NUMBER(0.5)},
        "decoupled": {**scale, "target_weight": NUMBER(1.0), "other_weight": NUMBER(8.0)},
        "dist": {**scale, "inter_weight": NUMBER(1.0), "intra_weight": NUMBER(1.0)},
        "standardised_divergence": scale,
        "weighted_soft_labels": scale,
        "virtual_teacher": {**scale, "correct": NUMBER(0.9)},
        "hard_cross_entropy": {"smoothing": NUMBER(0.1)},
        "logit_matching": {"centred": ("switch", always(True))},
    }

    def of(name: str) -> Callable[..., Any]:
        def call(weight: Any, **settings: Any) -> Any:
            logits = np.column_stack([data()["Z"], data()["Z"].sum(axis=1) - 1])  # some are undefined for two classes
            student, teacher = (torch.tensor(logits * factor, dtype=torch.float32) for factor in (0.5, 1.0))
            signals = tl.losses.Signals(student, teacher_answers=teacher, labels=torch.tensor(data()["y"]))
            return [*(weight * getattr(tl.losses, name)(**settings)).weighted(signals).values()]

        return call

    found = {f"losses.{name}": Door(of(name), {"weight": NUMBER(0.5), **settings}) for name, settings in terms.items()}
    functions = {"soft_cross_entropy": "P", "kl_divergence": "P", "logit_matching": "Z"}
    for name, second in functions.items():
        names = {"soft_cross_entropy": "target_probs", "kl_divergence": "target_probs", "logit_matching": "teacher_logits"}
        found[f"functional.{name}"] = Door(
            getattr(tl.losses.functional, name), {"student_logits": TENSORS["Z"], names[name]: TENSORS[second]}
        )
    found["hint"] = Door(
        tl.losses.hint, {"student_layer": ("text", always("0")), "teacher_layer": ("text", always("0"))}, lambda term: None
    )
    found["contrastive"] = Door(
        tl.losses.contrastive,
        {
            "student_layer": ("text", always("0")),
            "embedding": ("size", always(8)),
            "negatives": ("size", always(8)),
            "temperature": NUMBER(0.1),
            "momentum": NUMBER(0.5),
        },
        lambda term: None,
    )
    found["huber"] = Door(tl.losses.huber, {"delta": NUMBER(1.0), "against": ("name", always("teacher"))}, lambda term: None)
    found["teacher_bounded"] = Door(tl.losses.teacher_bounded, {"margin": NUMBER(0.1)}, lambda term: None)
    return found


@cache
def doors() -> dict[str, Door]:
    folder = Path(tempfile.mkdtemp())
    return {**students(), **answers(), **stored(folder), **measured(), **made(), **searched(), **trained(), **losses()}
