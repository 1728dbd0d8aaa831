import pickle

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tutelage.search.families import family_named
from tutelage.teachers.adapt import as_teacher
from tutelage.workflow.distillation.given.answered import MADE, Answered, MoreRows
from tutelage.workflow.distillation.given.part import Part
from tutelage.workflow.distillation.given.problem import Problem, row_set
from tutelage.workflow.distillation.given.split import split
from tutelage.workflow.distillation.searching import rows as module
from tutelage.workflow.distillation.searching.rows import LOOKED_AT, SEARCHED, DevelopmentRows, number_of

X = np.random.default_rng(0).normal(size=(200, 2))
Y = (X[:, 0] > 0).astype(int)
PROBLEM = Problem(as_teacher(LogisticRegression().fit(X, Y)), "teacher", row_set(X, Y))
ANSWERS = np.full((200, 2), 0.5)


def development(more, made_from):
    found = split(PROBLEM, seed=0)
    answered = Answered(Part(X, ANSWERS), Part(X, ANSWERS).take(found.test), MoreRows(more, MADE, made_from(found.development)))
    return DevelopmentRows.of(PROBLEM, found, answered, seed=0, seeds=1)


def made(count):
    return Part(np.arange(2.0 * count).reshape(count, 2), np.full((count, 2), 0.5))


def test_a_row_made_from_a_validation_row_or_its_neighbour_is_not_learnt_from():
    sources = {}

    def made_from(places):
        sources["all"] = np.column_stack([places, np.roll(places, 1)])
        return sources["all"]

    count = len(split(PROBLEM, seed=0).development)
    prepared = development(made(count), made_from).prepared(0)
    validation = {tuple(row) for row in prepared.validation.rows}
    free = [place for place, pair in enumerate(sources["all"]) if not any(tuple(X[source]) in validation for source in pair)]
    assert (prepared.more.rows[:, 0] / 2).tolist() == free


def test_the_number_of_rows_that_a_seed_learns_from_leaves_out_those_made_from_its_validation_rows():
    found = split(PROBLEM, seed=0)
    answered = Answered(
        Part(X, ANSWERS),
        Part(X, ANSWERS).take(found.test),
        MoreRows(made(500), MADE, np.random.default_rng(0).choice(found.development, (500, 2))),
    )
    every = DevelopmentRows.of(PROBLEM, found, answered, seed=0, seeds=3)
    learnt = every.more_learnt()
    assert learnt == tuple(every.prepared(seed).more.count for seed in range(3))
    assert every.more_learnt([1]) == learnt[1:2]
    assert all(280 < count < 360 for count in learnt)  # of 500, four fifths of four fifths


def test_the_number_of_rows_is_said_as_it_is_or_about():
    assert [number_of(counts) for counts in ([4000, 4000], [0], [2740, 2600, 2545], [31, 32])] == ["4,000", "0", "about 2,630", "about 32"]


@pytest.mark.parametrize("limit", ["FEWEST_ROWS", "FIRST_LOOK"])
def test_rows_of_a_part_of_the_pool_are_drawn_from_all_of_it(limit, monkeypatch):
    monkeypatch.setattr(module, "SEARCH_CELLS", 0)
    monkeypatch.setattr(module, limit, 50)
    every = development(made(1000), lambda _: np.full((1000, 2), -1))
    found = every.prepared(SEARCHED if limit == "FEWEST_ROWS" else LOOKED_AT).more
    assert found.count == 50
    assert found.rows.max() > 1000  # rows in the order of a file may be sorted by anything


def test_other_processes_get_the_same_rows():
    every = development(made(1000), lambda places: np.column_stack([np.resize(places, 1000)] * 2))
    every.prepared(0)
    sent = pickle.loads(pickle.dumps(every))  # noqa: S301
    for purpose in (SEARCHED, LOOKED_AT, 0):
        here, there = every.prepared(purpose), sent.prepared(purpose)
        for part in ("train", "validation", "more"):
            np.testing.assert_array_equal(getattr(here, part).rows, getattr(there, part).rows)
    assert every.prepared(0) is every.prepared(0)


def test_texts_are_encoded_as_the_vectorizer_of_their_seed_does():
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["red", "green", "blue", "dark", "light"], 4)) for _ in X]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, Y)
    problem = Problem(as_teacher(model), "teacher", row_set(texts, Y))
    found = split(problem, seed=0)
    answered = Answered(Part(texts, ANSWERS), Part(texts, ANSWERS).take(found.test), None)
    rows = pickle.loads(pickle.dumps(DevelopmentRows.of(problem, found, answered, seed=0, seeds=2)))  # noqa: S301
    family = family_named("logistic", "binary")
    for purpose, counted in ((0, True), (1, True), (SEARCHED, False)):
        prepared, settings = rows.prepared(purpose), {"max_words": 1000}
        fresh = TfidfVectorizer(**prepared.encoder(family, settings).get_params()).fit(prepared.train.rows)
        assert (prepared.words is not None) == counted
        for name in ("train", "validation"):
            expected = fresh.transform(getattr(prepared, name).rows).toarray()
            assert np.allclose(prepared.encoded(family, settings, name).toarray(), expected, rtol=1e-6)
