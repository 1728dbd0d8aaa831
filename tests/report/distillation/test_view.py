from dataclasses import replace

from tutelage.report.distillation.view import view_of


def test_findings_say_which_rows_they_are_about_and_a_remedy_once(binary, figures):
    same = {"severity": "note", "sentence": "it rules classes out.", "remedy": "Use another."}
    found = ({"check": "ruled-out", **same}, {"check": "test-ruled-out", **same})
    shown = view_of(replace(binary, findings={"findings": found}), figures).findings
    assert [one["sentence"] for one in shown] == ["it rules classes out.", "on the test rows, it rules classes out."]
    assert [one["remedy"] for one in shown] == ["Use another.", ""]
