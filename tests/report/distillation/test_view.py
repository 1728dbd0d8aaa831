from dataclasses import replace

from tutelage.report.distillation.view import view_of


def test_findings_say_which_rows_they_are_about_and_a_remedy_once(binary, figures):
    same = {"severity": "note", "sentence": "it rules classes out.", "remedy": "Use another."}
    found = ({"check": "ruled-out", **same}, {"check": "test-ruled-out", **same})
    shown = view_of(replace(binary, findings={"findings": found}), figures).findings
    assert [one["sentence"] for one in shown] == ["it rules classes out.", "on the test rows, it rules classes out."]
    assert [one["remedy"] for one in shown] == ["Use another.", ""]


def test_the_rows_that_a_seed_does_not_learn_from_are_not_counted_as_learnt(binary, figures):
    def said(**rows):
        return dict(view_of(replace(binary, rows={**binary.rows, **rows}), figures).facts)["rows labelled by the teacher"]

    assert said(more_learnt=9600) == said() == "9,600 more"
    assert said(more_learnt=6200) == (
        "9,600 more, of which the first seed learns from 6,200: the others are or were made from its validation rows"
    )
