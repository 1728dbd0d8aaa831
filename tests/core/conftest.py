"""An evaluation made by hand: every kind of figure once."""

import numpy as np
import pytest

from tutelage.core.evaluations import AlignedAnswers, Estimate, Evaluation, Latency, ReliabilityCurve, StudentCost
from tutelage.core.records import Interval


@pytest.fixture
def evaluated():
    answers = AlignedAnswers("binary", ("no", 1), np.array([[0.6, 0.4]]), None, None, "f00")
    return Evaluation(
        student="<b>ush",
        teacher=None,
        task="binary",
        classes=("no", 1),
        rows=1234,
        against_truth={
            "accuracy": Estimate(0.9125, Interval(0.89, 0.93, "test rows"), "Wilson"),
            "worst_class_recall": Estimate(0.5, Interval(0.25, 0.75, "test rows"), "bootstrap", of="no"),
            "nll_nats": Estimate(0.25, None, "t"),
        },
        against_teacher={},
        teacher_against_truth={"accuracy": Estimate(0.95, None, "Wilson")},
        reliability={"truth": ReliabilityCurve((0.5,), (1.0,), (1234,), (0.75,), (0.7,))},
        decisions=((600, 34), (0, 600)),
        cost=StudentCost(1500, "file", 12, "leaves", Latency(50.0, 5000.0, (45.0, 55.0), 100, 1), Latency(0.5, 0.75, None, 3, 1000)),
        settings={"seed": 0},
        rows_fingerprint="f00",
        answers=answers,
    )
