"""The friedman run: what its students learn from, and that it works without torch."""

import numpy as np
import pytest

from tutelage.experiments.demo import friedman as recipe


@pytest.mark.exhaustive
@pytest.mark.slow
def test_each_student_learns_from_its_own_targets():
    draw = recipe._draw(0)
    taught, pooled = np.full(recipe.ROWS, -3.0), np.full(recipe.POOL_ROWS, -3.0)
    students = recipe._learn(draw, [taught, pooled, pooled])
    for name, student in students.items():
        answers = student.predict(draw.train)
        if "hard" in name:
            assert abs(answers.mean() - draw.truth.mean()) < 0.1, name
        else:
            np.testing.assert_allclose(answers, -3.0, atol=1e-6, err_msg=name)
    assert list(students) == list(recipe.ARMS)[1:]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_pool_is_what_makes_the_tree_beat_the_tuned_one(friedman):
    r2 = {arm["name"]: np.mean(arm["test_r2"]) for arm in friedman.results["arms"]}
    assert r2["tree-hard"] < r2["tree-hard-tuned"] < r2["tree-soft-transfer"] < r2["teacher"]
    assert abs(r2["linear-soft"] - r2["linear-hard-tuned"]) < 0.005
    verdicts = {(c["a"], c["b"]): c["verdict"] for c in friedman.results["comparisons"]}
    assert verdicts["tree-soft-transfer", "tree-hard-tuned"] == "beats"
    assert verdicts["linear-soft", "linear-hard-tuned"] == "no difference"


@pytest.mark.exhaustive
@pytest.mark.slow
def test_it_runs_on_a_machine_without_torch_and_says_what_is_missing(friedman, python_without_torch):
    assert (friedman.folder / "report.html").exists()  # made by that Python
    assert python_without_torch("-c", "import torch").returncode != 0
    said = python_without_torch("-c", "import tutelage; tutelage.TorchStudent").stderr
    assert said.strip().endswith('MissingExtra: torch is needed here and not installed: pip install "tutelage[torch]"')
