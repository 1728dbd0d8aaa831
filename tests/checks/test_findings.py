import json

import numpy as np
import pytest

from tutelage.checks.findings import Finding, Preflight
from tutelage.core.errors import SelfCheckFailed
from tutelage.core.records import dumps

FINE = Finding("constant", "ok", {"spread": 1.0}, "its answers depend on the row.")
NOTE = Finding("saturated", "note", {"mean entropy": {"T=1": 0.12, "T=2": 0.5}}, "nearly one-hot.", "Soften.")
WARNING = Finding("rounded", "warning", {"classes": list(range(9))}, "rounded.", "Log more digits.")
ERROR = Finding("class-order", "error", {"recall": 0.1234567}, "another order fits.", "Declare classes=(1, 0).")


def preflight_of(*findings, rows=10):
    return Preflight(findings, "teacher:1", rows, 10, 0)


def test_findings_are_sorted_by_severity_and_stable():
    second = Finding("repeatable", "error")
    found = preflight_of(FINE, ERROR, NOTE, second, WARNING)
    assert [finding.check for finding in found.findings] == ["class-order", "repeatable", "rounded", "saturated", "constant"]
    assert found.of("error") == (ERROR, second)


@pytest.mark.parametrize(
    ("findings", "worst", "ok"),
    [
        ((), "ok", True),
        ((FINE,), "ok", True),
        ((FINE, NOTE), "note", True),
        ((WARNING, NOTE), "warning", False),
        ((ERROR,), "error", False),
    ],
)
def test_findings_up_to_a_note_are_ok(findings, worst, ok):
    assert (preflight_of(*findings).worst, preflight_of(*findings).ok) == (worst, ok)


def test_errors_raise_with_every_sentence_and_remedy_and_warnings_do_not():
    passed = preflight_of(FINE, WARNING)
    assert passed.raise_for_errors() is passed
    with pytest.raises(
        SelfCheckFailed, match=r"found 2 errors\. \[class-order\] another order fits\. Declare classes=\(1, 0\)\. \[answers\] none\."
    ):
        preflight_of(ERROR, FINE, Finding("answers", "error", {}, "none.")).raise_for_errors()


def test_the_json_is_strict_and_complete():
    odd = Finding("scale", "error", {"R2": -np.inf, "slope": np.array([1.5, np.nan]), "rows": np.int64(3), "classes": ("a", 1)})
    plain = json.loads(dumps(preflight_of(odd, FINE, rows=4).to_json()))
    assert (plain["schema"], plain["worst"], plain["ok"], plain["rows"], plain["of_rows"]) == (1, "error", False, 4, 10)
    assert plain["findings"][0]["figure"] == {"R2": "-inf", "slope": [1.5, "nan"], "rows": 3, "classes": ["a", 1]}
    assert plain["findings"][1] == {
        "check": "constant",
        "severity": "ok",
        "figure": {"spread": 1.0},
        "sentence": FINE.sentence,
        "remedy": "",
    }


def test_the_text_is_aligned_and_reports_the_sample():
    text = str(preflight_of(FINE, NOTE, WARNING, ERROR, rows=4))
    first, *lines = text.splitlines()
    assert first == "preflight: 1 error, 1 warning, 1 note, 1 ok (4 of 10 rows, seed 0)"
    assert lines[0] == "error    class-order  another order fits. -> Declare classes=(1, 0). (recall 0.123)"
    assert lines[1] == "warning  rounded      rounded. -> Log more digits. (classes [0, 1, 2, 3, 4, 5, ...])"
    assert lines[2] == "note     saturated    nearly one-hot. -> Soften. (mean entropy T=1: 0.12, T=2: 0.5)"
    assert str(preflight_of()) == "preflight: nothing checked (10 rows)"


def test_long_sentences_are_wrapped_in_their_column():
    lines = str(preflight_of(Finding("leak", "error", {}, "word " * 60))).splitlines()[1:]
    assert len(lines) > 2
    assert {len(line) - len(line.lstrip()) for line in lines[1:]} == {len("error    leak  ")}
    assert max(map(len, lines)) <= 120
