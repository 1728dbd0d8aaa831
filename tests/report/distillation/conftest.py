"""Records of distillations of every kind, made by hand, and the figures of their pages."""

from dataclasses import replace

import pytest

from tutelage.core.records import Comparison, Export, Interval, Latency, Parity
from tutelage.report.distillation.figures import ClassDisagreement, Confusion, Disagreement, Figures, Loading, Reliability, ShownRow
from tutelage.report.distillation.records import ArmResult, CascadePoint, CascadeResult, DistillationRecord, Look, Rate
from tutelage.report.distillation.words import answer_of
from tutelage.search.advice import Advice, CurvePoint

HOSTILE = (
    "</script><script>alert(1)</script>",
    "\"quoted' & <b>bold</b>",
    "\u202eright to left\u2066",
    "x" * 200,
    "emoji 🦜🧪",
    "a|b`c`*d*_e_[f](g)",
    "שלום",
    "\x1b[2Jerased\x00",
    "half \ud800",
)
FINDINGS = (
    {"check": "columns", "severity": "warning", "sentence": "column '<id>' is an identifier.", "remedy": "Drop it."},
    {"check": "repeatable", "severity": "ok", "sentence": "queried twice, the teacher gives the same answers.", "remedy": ""},
)


def arm(name, kind, value, *, metric="accuracy", fidelity="agreement", size=2000, latency=40.0, **changes):
    """An arm of two seeds whose mean is this value."""
    made = ArmResult(
        name=name,
        meaning=f"the meaning of {name}",
        kind=kind,
        student="tree" if kind != "teacher" else "",
        settings={"max_leaf_nodes": 32, "C": 0.123456} if kind != "teacher" else {},
        seeds=(0, 1) if kind != "teacher" else (0,),
        trials=24,
        validation={metric: (value + 0.004, value - 0.002)},
        test={metric: (value - 0.01, value + 0.01), fidelity: (0.953, 0.951)} if kind != "teacher" else {metric: (value,)},
        interval=Interval(value - 0.02, value + 0.02, "seeds and test rows" if kind != "teacher" else "test rows"),
        size_bytes=size,
        latency=None if latency is None else Latency(latency, 2 * latency, (0.9 * latency, 1.1 * latency), 500, 1),
    )
    return replace(made, **changes)


def comparison(a, b, difference, verdict, question):
    """A comparison that was corrected for the others."""
    ends = (difference - 0.011, difference + 0.011)
    return Comparison(a, b, "accuracy", difference, ends, verdict, question, "seeds and test rows", "", 0.01, 0.034, 0.0123)


def with_answer(made):
    return replace(made, answer=answer_of(made))


ARMS = (
    arm("labels", "baseline", 0.871, size=2500, latency=45.0),
    arm("decisions", "distilled", 0.874, size=3100),
    arm("answers", "distilled", 0.893, excess={"size": -0.21, "latency": -0.12, "drop": -0.3}, drop=1.4, size=4000, latency=44.0),
    arm("untuned", "control", 0.862, size=None, latency=None),
    arm("teacher", "teacher", 0.902, size=14_500_000, latency=156_000.0),
)


def rate(value):
    return Rate(value, Interval(max(value - 0.02, 0.0), min(value + 0.01, 1.0), "test rows"))


def cascade(target=0.99, *, attained=True, truth=True):
    """A student that answers most rows, and its teacher."""
    curve = tuple(
        CascadePoint(1 - share / 2, share, 1 - 0.06 * share**4, 1 - 0.06 * share**3, 44 + 156_000 * (1 - share)) for share in SHARES
    )
    targets = tuple(replace(curve[place], target=rate) for place, rate in ((99, 0.9), (80, 0.95), (60, 0.99)))
    none = CascadePoint(None, 0.0, 1.0, None, 156_044.0, target)
    at = targets[-1] if attained else none
    guarantee = {
        "threshold": at.threshold,
        "target": target,
        "delta": 0.05,
        "against": "teacher",
        "over": "all",
        "rows": 480,
        "answered": 291 if attained else 0,
        "wrong": 1 if attained else 0,
        "of": 480,
        "teacher": "a teacher",
    }
    accuracy = {"cascade": rate(0.9), "student": rate(0.893), "teacher": rate(0.902)} if truth else {}
    points = targets if attained else (*targets[:2], none)
    return CascadeResult(guarantee, rate(at.coverage), rate(at.agreement), accuracy, 44.0, 156_000.0, at.latency_us, points, curve)


SHARES = [place / 100 for place in range(1, 101)]


@pytest.fixture(scope="session")
def binary() -> DistillationRecord:
    """Two classes, and limits that are met."""
    trial = {"arm": "answers", "number": 1, "student": "tree", "settings": {}, "loss": 0.11, "size_bytes": 3900, "latency_us": 43.0}
    return with_answer(
        DistillationRecord(
            title="/models/churn & co.pkl",
            answer="",
            task="binary",
            classes=("no", "yes"),
            metric="accuracy",
            against="truth",
            chosen="answers",
            reason="it has the best accuracy",
            arms=ARMS,
            comparisons=(
                comparison("answers", "labels", 0.022, "beats", "Does the teacher help?"),
                comparison("answers", "untuned", 0.031, "beats", "Does tuning help?"),
                comparison("answers", "teacher", -0.009, "no difference", "Does it reach its teacher?"),
            ),
            front=({**trial, "scores": {"accuracy": 0.888}}, {**trial, "arm": "labels", "scores": {"accuracy": 0.86}, "size_bytes": 1900}),
            limits={"size": 5000, "latency": 55.0, "drop": 2.0},
            rows={
                "train": 1920,
                "validation": 480,
                "test": 600,
                "more": 9600,
                "removed": {"equal to a test row": 3},
                "test_rows": "Drawn.",
            },
            findings={"findings": FINDINGS},
            exports=(Export("student.onnx", "ONNX", 4000, "ab" * 32, (), ("no", "yes"), (Parity(200, 40, 1e-9, 1e-5, 0, runtime="ort"),)),),
            options={"trials": 24, "seeds": 2, "seed": 0},
            seconds={"total": 20.0, "split": 0.5, "search": 12.0},
            environment={"python": "3.11.7"},
            looks=(Look(2, "2026-01-01 10:00 UTC", 0.5),),
            provenance={"teacher": "/models/churn & co.pkl", "files": "rows.csv"},
            notes=("mlp was left out: texts.",),
            curve=(CurvePoint(0, (0.871, 0.875)), CurvePoint(4800, (0.889, 0.891)), CurvePoint(9600, (0.893, 0.895))),
            advice=(
                Advice("more rows", False, "more rows bring nothing: 0.1 points.", {"gain": 0.001}),
                Advice("larger student", True, "a larger one."),
            ),
        )
    )


@pytest.fixture(scope="session")
def figures() -> Figures:
    """Figures of the record of two classes."""
    return Figures(
        "answers",
        (
            Reliability("answers", (0.55, 0.95), (0.5, 0.97), (120, 480), 0.031),
            Reliability("teacher", (0.6, 0.97), (0.66, 0.96), (100, 500), 0.052),
        ),
        Confusion("ground truth", ("no", "yes"), ((270, 30), (41, 259))),
        Disagreement(
            600,
            29,
            {"only the student is right": 12, "only the teacher is right": 17, "both are wrong": 0},
            (ClassDisagreement("yes", 290, 20, "no"), ClassDisagreement("no", 310, 9, "yes")),
        ),
        (),
        (Loading("student.onnx", 'import tutelage as tl\ntl.open_teacher("student.onnx")', "A note."),),
    )


@pytest.fixture(scope="session")
def every_kind(binary, figures) -> dict[str, tuple[DistillationRecord, Figures]]:
    """Records and figures of each kind of task and result."""
    values = tuple(
        replace(
            one,
            test={"mse": tuple(40 * value for value in one.test["accuracy"]), "teacher_mse": (2.25, 2.75)},
            validation={"mse": (35.5, 34.5)},
            interval=Interval(30.0, 40.0, "seeds and test rows"),
        )
        for one in ARMS
    )
    only_teacher = tuple(replace(one, test={"agreement": one.test["accuracy"]}, validation={"agreement": (0.9,)}) for one in ARMS)
    twenty = tuple(f"class {place}" for place in range(20))
    counts = tuple(tuple(5 if row == column else int(column == row + 1) for column in range(20)) for row in range(20))
    many = tuple(map(str, range(60)))
    of_values = Disagreement(600, 0, {}, quantiles=((0.5, 1.5), (1.0, 9.25)), spread=4.5)
    made = {
        "binary": (binary, figures),
        "values": (
            replace(
                binary,
                task="regression",
                classes=(),
                metric="mse",
                arms=values,
                comparisons=tuple(replace(one, metric="mse") for one in binary.comparisons),
                front=(),
            ),
            replace(
                figures,
                confusion=None,
                disagreement=of_values,
                reliability=(Reliability("answers", (1.0, 9.0), (1.5, 8.0), (300, 300)),),
            ),
        ),
        "no truth": (
            replace(
                binary,
                against="teacher",
                metric="agreement",
                arms=only_teacher,
                comparisons=(replace(binary.comparisons[1], metric="agreement"),),
                front=(),
            ),
            replace(figures, reliability=(), confusion=replace(figures.confusion, rows_are="teacher")),
        ),
        "twenty classes": (
            replace(binary, task="multiclass", classes=twenty),
            replace(figures, confusion=Confusion("ground truth", twenty, counts)),
        ),
        "sixty classes": (
            replace(binary, task="multiclass", classes=many),
            replace(
                figures,
                confusion=Confusion(
                    "ground truth", many, tuple(tuple(int(i == j) + 7 * int(j == i + 1) for j in range(60)) for i in range(60))
                ),
                disagreement=replace(figures.disagreement, by_class=tuple(ClassDisagreement(name, 10, 3, "0") for name in many)),
            ),
        ),
        "labels": (
            replace(binary, task="multilabel", classes=("a", "b")),
            replace(
                figures,
                confusion=None,
                disagreement=replace(figures.disagreement, by_class=(ClassDisagreement("a", 600, 29),), decisions=1200),
            ),
        ),
        "limits not met": (
            replace(
                binary,
                arms=tuple(
                    replace(one, excess={**one.excess, "size": 0.5}, size_bytes=7500) if one.name == "answers" else one for one in ARMS
                ),
            ),
            figures,
        ),
        "cascade": (replace(binary, cascade=cascade(), rows={**binary.rows, "calibration": 480}), figures),
        "cascade not attained": (replace(binary, cascade=cascade(attained=False, truth=False)), figures),
        "nothing measured": (
            replace(
                binary,
                arms=tuple(replace(one, size_bytes=None, latency=None, interval=None) for one in ARMS),
                front=(),
                limits={},
                curve=(),
                advice=(),
                exports=(),
                provenance={},
                looks=(),
                findings={"findings": []},
                comparisons=(),
            ),
            replace(figures, loading=()),
        ),
    }
    return {name: (with_answer(made_record), made_figures) for name, (made_record, made_figures) in made.items()}


@pytest.fixture(scope="session")
def hostile(binary, figures) -> tuple[DistillationRecord, Figures]:
    """A record and figures in which every text of a user is hostile."""
    count = len(HOSTILE)
    bad = HOSTILE[0]
    return (
        with_answer(
            replace(
                binary,
                title=f"/models/{HOSTILE[1]}{HOSTILE[2]}",
                task="multiclass",
                classes=HOSTILE,
                provenance={name: name for name in HOSTILE},
                findings={"findings": [{**FINDINGS[0], "sentence": name, "remedy": name} for name in HOSTILE]},
                exports=(replace(binary.exports[0], columns=HOSTILE, classes=HOSTILE),),
            )
        ),
        replace(
            figures,
            confusion=Confusion("ground truth", HOSTILE, tuple(tuple(int(i == j) for j in range(count)) for i in range(count))),
            disagreement=replace(figures.disagreement, by_class=tuple(ClassDisagreement(name, 10, 3, name) for name in HOSTILE)),
            shown=(
                ShownRow(0, "text", bad, bad, bad, bad, 0.9),
                ShownRow(1, "table", {name: name for name in HOSTILE}, bad, bad, "", 0.8),
                ShownRow(2, "picture", [[0, 255], [128, 3]], bad, bad, bad, 0.7),
            ),
            loading=(Loading("student.onnx", f"rows = {bad}", bad),),
        ),
    )
