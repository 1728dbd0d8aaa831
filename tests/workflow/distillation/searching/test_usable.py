import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

import tutelage as tl
from tutelage.core.errors import BadInput

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(640, 3))
TRUTH = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 0.5).astype(int)
TEACHER = RandomForestClassifier(20, min_samples_leaf=3, random_state=0).fit(ROWS[:400], TRUTH[:400])
X, Y = ROWS[400:], TRUTH[400:]
BAYES = {"bayes": (GaussianNB(), {"var_smoothing": [1e-9, 1e-3]})}
NEIGHBOURS = {"knn": (KNeighborsClassifier(algorithm="brute"), {"n_neighbors": range(1, 20)})}


pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def distilled(tmp_path):
    def run(students, **options):
        given = {"trials": 2, "seeds": 2, "export": "py", "into": tmp_path / "run", **options}
        return tl.distill(TEACHER, X, Y, students=students, **given)

    return run


@pytest.mark.exhaustive
def test_a_student_is_left_out_of_the_arms_that_it_cannot_learn(distilled):
    found = distilled(["tree", NEIGHBOURS], export=None)
    assert any("'knn' is left out of 'answers'" in note and "takes no sample_weight" in note for note in found.record.notes)
    assert {arm.student for arm in found.arms if arm.name == "answers"} == {"tree"}
    assert {arm.trials for arm in found.arms if arm.name in ("labels", "decisions", "answers")} == {2}


def test_a_format_that_was_asked_for_and_cannot_be_had_is_refused_before_the_search(distilled, tmp_path):
    with pytest.raises(BadInput, match=r"'bayes' cannot be exported to \.c \(.*\); leave it out of the students, or the format"):
        distilled(BAYES, export="c")
    assert not (tmp_path / "run" / "work" / "trials").exists()


def test_a_student_without_a_file_is_left_out_where_the_file_is_limited(distilled):
    class Own(GaussianNB):
        pass

    with pytest.raises(
        BadInput, match=r"no student is left that can learn from the teacher and be used. The student 'own' is left out: it cannot be saved"
    ):
        distilled({"own": Own()})


@pytest.mark.exhaustive
def test_there_is_always_a_plain_model_to_compare_with(distilled):
    found = distilled(["tree"])
    assert found.record.arm("plain model").student == "logistic"
    assert found.record.arm("plain model").trials == 2
    assert any(one.b == "plain model" for one in found.comparisons)
