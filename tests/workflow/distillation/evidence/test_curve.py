import re

import numpy as np

from tutelage.core.running.stages import Stages
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.distill import plan_of
from tutelage.workflow.distillation.given.problem import Problem, row_set
from tutelage.workflow.dry_run import dry_run


def test_a_run_counts_the_made_rows_that_its_students_learn_from(half_moons, finished):
    record = finished.record
    rows, points = record.rows, [point.rows for point in record.curve]
    assert rows["more"] == 5 * (rows["train"] + rows["validation"])
    assert 0.5 * rows["more"] < rows["more_learnt"] < 0.8 * rows["more"]
    assert abs(points[-1] - rows["more_learnt"]) < 0.1 * rows["more"]  # on average over seeds
    np.testing.assert_allclose(points, np.array([0, 0.25, 0.5, 1]) * points[-1], atol=1)
    assert f"on about {points[-1]:,} made rows too" in record.arm("answers, more rows").meaning


def test_a_dry_run_says_about_how_many_of_the_rows_it_makes_are_learnt_from(half_moons, finished):
    plan = plan_of("binary", has_truth=True, **half_moons.settings)
    planned = dry_run(Problem(as_teacher(half_moons.teacher), "teacher", row_set(half_moons.X, half_moons.y)), plan, Stages())
    assert planned.rows["more"] == finished.record.rows["more"]
    said = int(re.search(r"on about (\d+) made rows too", planned.arms["answers, more rows"])[1])
    assert abs(said - finished.record.rows["more_learnt"]) < 0.1 * planned.rows["more"]
