import numpy as np
import pytest
from sklearn.datasets import make_classification, make_friedman1
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from sound_teachers import CustomTeacher

from tutelage.checks.memorised import check_memorised, memory
from tutelage.checks.preflight import preflight
from tutelage.checks.sampling import draw, query_sample
from tutelage.core.answers import AnswerForm
from tutelage.softlabels.recording import record
from tutelage.teachers.adapt import as_teacher

X, Y = make_classification(1200, 10, n_informative=5, flip_y=0.15, random_state=0)
SEEN, NEW = slice(0, 600), slice(600, 1200)
VALUES = AnswerForm("values", "regression")


def found(teacher, rows, truth):
    adapted = as_teacher(teacher)
    (finding,) = check_memorised(adapted, query_sample(adapted, draw(rows, truth, adapted.form, rows=2000, seed=0)), 0)
    return finding


@pytest.mark.exhaustive(every=2)
@pytest.mark.parametrize("model", [RandomForestClassifier(50, random_state=0), DecisionTreeClassifier(random_state=0)])
def test_a_teacher_is_found_on_its_training_rows_and_on_no_others(model):
    model = model.fit(X[SEEN], Y[SEEN])
    on_seen = found(model, X[SEEN], Y[SEEN])
    assert on_seen.severity == "warning"
    assert "as if it was trained on these rows" in on_seen.sentence
    assert on_seen.remedy
    assert found(model, X[NEW], Y[NEW]).severity == "ok"


def test_a_model_that_learns_no_noise_is_not_found_on_its_training_rows():
    assert found(LogisticRegression().fit(X[SEEN], Y[SEEN]), X[SEEN], Y[SEEN]).severity == "ok"


@pytest.mark.exhaustive
def test_a_regressor_is_found_too():
    rows, truth = make_friedman1(800, noise=3.0, random_state=0)
    model = RandomForestRegressor(50, random_state=0).fit(rows[:400], truth[:400])
    assert found(model, rows[:400], truth[:400]).severity == "warning"
    assert found(model, rows[400:], truth[400:]).severity == "ok"


@pytest.mark.exhaustive(every=3)
@pytest.mark.parametrize("noise", [0.1, 1.0])
@pytest.mark.parametrize(
    "function",
    [
        lambda rows: rows @ [3.0, -2.0, 1.0, 0.5],
        lambda rows: rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2]),
        lambda rows: np.sin(6 * rows[:, 0]) * np.cos(5 * rows[:, 1]),
    ],
    ids=["linear", "product", "rough"],
)
def test_a_teacher_that_knows_the_function_itself_is_sound(function, noise):
    """However much better than a plain model it is."""
    draws = np.random.default_rng(0)
    rows = draws.normal(size=(500, 4))
    teacher = CustomTeacher(lambda given: function(np.asarray(given))[:, None], VALUES)
    assert found(teacher, rows, function(rows) + noise * draws.normal(size=500)).severity == "ok"


def test_what_cannot_be_checked_is_said():
    model = RandomForestClassifier(10, random_state=0).fit(X[SEEN], Y[SEEN])
    few = found(model, X[:100], Y[:100])
    assert (few.severity, few.sentence[:27]) == ("note", "not checked: 100 rows are t")
    recorded = record(model, X[SEEN])
    assert "not checked" in found(recorded, X[SEEN], Y[SEEN]).sentence
    texts = CustomTeacher(lambda given: np.tile([0.4, 0.6], (len(given), 1)), AnswerForm("probabilities", "binary", (0, 1)))
    assert "no rows can be made next to texts" in found(texts, ["a text"] * 200, np.arange(200) % 2).sentence


def test_nothing_is_said_without_labels():
    adapted = as_teacher(LogisticRegression().fit(X[SEEN], Y[SEEN]))
    assert not list(check_memorised(adapted, query_sample(adapted, draw(X, None, adapted.form, rows=300, seed=0)), 0))


def test_the_figures_of_a_half_known_noise():
    """A teacher that answers the function and half of the noise, which its imitation does not know."""
    draws = np.random.default_rng(0)
    function, noise = draws.normal(size=1000), draws.normal(size=1000)
    figures = memory(function + 0.5 * noise, function, function + noise, function)
    assert figures.slope == pytest.approx(2.0)
    assert figures.explained == pytest.approx(1.0)
    assert figures.error_share == pytest.approx(0.25)
    assert figures.part
    sound = memory(function, function + 0.1 * draws.normal(size=1000), function + noise, function)
    assert not sound.part
    assert not sound.whole


def test_a_function_whose_calls_may_cost_is_not_asked_made_rows_unless_it_may_be():
    asked = []

    def service(rows):
        asked.append(len(rows))
        return np.full((len(rows), 2), 0.5)

    teacher = as_teacher(service, kind="probabilities", classes=[0, 1])
    (finding,) = [one for one in preflight(teacher, X[NEW], Y[NEW]).findings if one.check == "memorised"]
    assert "unless tl.preflight is called with made_rows=True" in finding.sentence
    least = sum(asked)
    preflight(teacher, X[NEW], Y[NEW], made_rows=True)
    assert sum(asked) == 2 * least + 4 * 600
