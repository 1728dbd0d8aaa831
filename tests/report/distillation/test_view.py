from dataclasses import replace

import pytest

from tutelage.report.distillation.view import view_of


def test_findings_say_which_rows_they_are_about_and_a_remedy_once(binary, figures):
    same = {"severity": "note", "sentence": "it rules classes out.", "remedy": "Use another."}
    found = ({"check": "ruled-out", **same}, {"check": "test-ruled-out", **same})
    shown = view_of(replace(binary, findings={"findings": found}), figures).findings
    assert [one["sentence"] for one in shown] == ["it rules classes out.", "on the test rows, it rules classes out."]
    assert [one["remedy"] for one in shown] == ["Use another.", ""]


@pytest.mark.parametrize(
    ("latency", "compared"), [(43.0, "accuracy and size, and in latency where both were timed,"), (None, "accuracy and size,")]
)
def test_the_search_compares_latencies_only_where_trials_were_timed(binary, figures, latency, compared):
    front = tuple({**trial, "latency_us": latency} for trial in binary.front)
    note = view_of(replace(binary, front=front), figures).front_note
    assert note == f"Trials that no other trial of the same arm beats in {compared} by the validation rows of the first seed."
