"""The playground of a run: which test rows it offers, with whose answers."""

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.answers import of_classes
from tutelage.report.distillation.figures import ShownRow
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.reporting.trying import playground_of_run

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.random((40, 3))
TRUTH = (ROWS[:, 0] > 0.5).astype(int)
STUDENT = DecisionTreeClassifier(max_depth=2, random_state=0).fit(ROWS, np.array(["no", "yes"])[TRUTH])
FORM = of_classes("logits", ("no", "yes"))
LOGITS = RANDOM.normal(size=(40, 2))
TEST = Part(ROWS, LOGITS, np.eye(2)[TRUTH])


def test_no_row_is_offered_unless_rows_are_shown():
    assert playground_of_run(STUDENT, ROWS, TEST, FORM).examples == ()


def test_rows_are_drawn_and_those_of_disagreements_follow():
    shown = tuple(ShownRow(place, "table", {}, "", "", "", 0.5) for place in (7, 3))
    made = playground_of_run(STUDENT, ROWS, TEST, FORM, disagreements=shown, show_rows=12)
    names = [one.name for one in made.examples]
    assert len(set(names)) == 14
    assert names[-2:] == ["test row 7, where the two disagree", "test row 3, where the two disagree"]
    for one in made.examples:
        place = int(one.name.removeprefix("test row ").split(",")[0])
        assert one.row == pytest.approx(ROWS[place])
        assert one.teacher == pytest.approx(FORM.probabilities(LOGITS)[place])
        assert one.truth == ("no", "yes")[TRUTH[place]]


def test_without_ground_truth_none_is_said():
    made = playground_of_run(STUDENT, ROWS, Part(ROWS, LOGITS), FORM, show_rows=3)
    assert [one.truth for one in made.examples] == ["", "", ""]
