import json

import numpy as np
import pytest

from tutelage.core.records import Comparison, Interval, dumps
from tutelage.report.records import Arm, RunRecord

ARM = Arm("tree", "a tree", 7, "nodes", (0, 1), {"test_accuracy": (0.5, 0.75), "test_errors": (2, 1)}, Interval(0.1, 0.9, "seeds"))


def record(**changes):
    fields = {
        "recipe": "moons",
        "title": "t",
        "summary": "s",
        "headline": "test_accuracy",
        "options": {"seed": 0},
        "protocol": ("one",),
        "data": {"rows": np.int64(3)},
        "environment": {},
        "arms": (ARM,),
        "comparisons": (Comparison("tree", "tree", "test_accuracy", 0.0, (-1.0, 1.0), "no difference", "q", "seeds"),),
        "seconds": {"total": 1.0},
    }
    return RunRecord(**(fields | changes))


def test_the_json_follows_the_schema():
    plain = json.loads(dumps(record().to_json()))
    assert plain["schema"] == 3
    assert plain["data"] == {"rows": 3}
    arm = plain["arms"][0]
    assert list(arm)[:5] == ["name", "parameters", "seeds", "test_accuracy", "test_errors"]
    assert arm["test_accuracy"] == [0.5, 0.75]
    assert arm["published"] is None
    assert plain["comparisons"][0]["ci95"] == [-1.0, 1.0]
    assert plain["comparisons"][0]["verdict"] == "no difference"


def test_nan_and_unknown_objects_are_rejected():
    with pytest.raises(ValueError, match="Out of range"):
        dumps({"x": float("nan")})
    with pytest.raises(TypeError, match="object has no JSON form"):
        dumps({"x": object()})


def test_arms_are_found_by_name_and_give_means():
    assert record().arm("tree").mean("test_accuracy") == 0.625
    with pytest.raises(KeyError):
        record().arm("bush")
