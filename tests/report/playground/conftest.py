"""Students of each kind with their playgrounds, and their pages in a browser."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import tutelage as tl
from tutelage.report.page import render_page
from tutelage.report.playground.records import Playground
from tutelage.students.columns import with_columns
from tutelage.workflow.playground import playground_of

RANDOM = np.random.default_rng(0)
COUNT = 400
TABLE = pd.DataFrame(
    {
        "age": RANDOM.integers(18, 80, COUNT).astype(float),
        "city": RANDOM.choice(["Oslo", "Rome", "Bonn"], COUNT),
        "income": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.lognormal(10, 1, COUNT)),
        "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, COUNT), unit="D"),
        "member": RANDOM.random(COUNT) < 0.4,
    }
)
TRUTH = np.where((TABLE.age > 45) ^ (TABLE.city == "Rome") ^ (TABLE.income.fillna(0) > 40_000) ^ (RANDOM.random(COUNT) < 0.15), "yes", "no")
GOOD, BAD = ("good", "great", "fun"), ("bad", "awful", "dull")
WORDS = [*GOOD, *BAD, "film", "plot", "actor", "slow", "quick", "bright", "music", "scene"]
TEXTS = [" ".join(RANDOM.choice(WORDS, 8)) for _ in range(300)]
LIKED = np.array([int(sum(word in GOOD for word in text.split()) > sum(word in BAD for word in text.split())) for text in TEXTS])


@dataclass(frozen=True)
class Tried:
    """A student, its playground, how a row of the page is given to it in Python, and what it was trained on."""

    student: Any
    playground: Playground
    rows: Any
    data: Any = None

    def answers(self, row: Any) -> np.ndarray:
        """The answers in Python to a row that the page reports as JSON."""
        given = self.rows([row])
        return (self.student.predict_proba(given) if hasattr(self.student, "predict_proba") else self.student.predict(given))[0]


def dated(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of the page as the frame that the student was fitted on."""
    frame = pd.DataFrame(rows)[list(TABLE.columns)].astype({"income": float})
    return frame.assign(since=pd.to_datetime(frame.since), member=frame.member.astype(bool))


def strokes() -> tuple[np.ndarray, np.ndarray]:
    """(rows, 784) pictures of a line across, a line down, or nothing, dark and bright, and which it is."""
    draws = np.random.default_rng(0)  # of its own: what is drawn does not depend on the tests before
    pictures, kinds = np.zeros((300, 28, 28)), draws.integers(0, 3, 300)
    for picture, kind in zip(pictures, kinds, strict=True):
        at = draws.integers(9, 18)
        if kind == 1:
            picture[at : at + 3, 4:24] = draws.uniform(0.5, 1)
        if kind == 2:
            picture[4:24, at : at + 3] = draws.uniform(0.5, 1)
    return pictures, np.array(["nothing", "across", "down"])[kinds]


@pytest.fixture(scope="session")
def table() -> Tried:
    """A tree of a mixed table with gaps, dates and switches."""
    student = with_columns(tl.SoftTree(max_leaf_nodes=24, random_state=0), TABLE, scaled=False).fit(TABLE, TRUTH)
    teacher = 0.1 + 0.8 * student.predict_proba(TABLE[:5])
    names = [f"test row {place}" for place in range(5)]
    return Tried(
        student, playground_of(student, TABLE, examples=TABLE[:5], teacher=teacher, truth=TRUTH[:5].tolist(), names=names), dated, TABLE
    )


@pytest.fixture(scope="session")
def values() -> Tried:
    """Boosted trees of a matrix, which answer with a number."""
    X = RANDOM.random((300, 6)) * 100
    student = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(X, X[:, 0] + np.sin(X[:, 1]) * 20)
    return Tried(student, playground_of(student, X), np.array)


@pytest.fixture(scope="session")
def text() -> Tried:
    """A logistic regression on words."""
    student = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(TEXTS, np.array(["no", "yes"])[LIKED])
    return Tried(student, playground_of(student, TEXTS), list)


@pytest.fixture(scope="session")
def picture() -> Tried:
    """A network on pictures of strokes, whose pixels are in a line."""
    pictures, kinds = strokes()
    rows = pictures.reshape(len(pictures), -1)
    student = tl.SoftMLP(hidden_layer_sizes=(8,), epochs=20, random_state=0).fit(rows, kinds)
    teacher, names = student.predict_proba(rows[:6]), [f"test row {place}" for place in range(6)]
    made = playground_of(student, rows, examples=rows[:6], teacher=teacher, names=names, picture=(28, 28))
    return Tried(student, made, lambda given: np.array(given, dtype=np.float64).reshape(len(given), -1))


@pytest.fixture(scope="session")
def tried() -> type[Tried]:
    """The class of what is tried, for students that only one test has."""
    return Tried


class Shown:
    """A page in a browser, with all that it did besides being shown."""

    def __init__(self, browser, path, **settings):
        self.context = browser.new_context(**settings)
        self.requests, self.refused, self.complaints, self.dialogs = [], [], [], []
        self.page = self.context.new_page()
        self.page.on("request", lambda one: self.requests.append(one.url))
        self.page.on("requestfailed", lambda one: self.refused.append((one.url, one.failure)))
        self.page.on("console", lambda one: self.complaints.append(one.text) if one.type == "error" else None)
        self.page.on("pageerror", lambda one: self.complaints.append(str(one)))
        self.page.on("dialog", lambda one: (self.dialogs.append(one.message), one.dismiss()))
        self.page.goto(path.as_uri())

    def check(self) -> str:
        """What the page says of its student."""
        return self.page.locator("#playground .check").inner_text()

    def row(self):
        """The row that the page reports."""
        return json.loads(self.row_as_text())

    def row_as_text(self) -> str:
        """The row that the page reports, to be copied."""
        json_text = self.page.locator(".as-json")
        if json_text.get_attribute("open") is None:
            self.page.locator(".as-json summary").click()
        return self.page.locator(".as-json pre:not(:empty)").inner_text()

    def shares(self) -> dict[str, float]:
        """The probability of each class in the page, with all digits."""
        items = self.page.locator(".answers .bars li").all()
        return {one.locator(".class-name").inner_text(): float(one.locator("b").get_attribute("title")) for one in items}

    def check_equal(self, tried: Tried) -> None:
        """The page shows the answers that the student gives in Python to the row that the page reports."""
        expected = tried.answers(self.row())
        assert list(self.shares().values()) == pytest.approx(expected.tolist(), abs=1e-12)
        assert self.page.locator(".decision strong").inner_text() == str(tried.student.classes_[expected.argmax()])

    def settle(self) -> None:
        """Wait until the panel of what changes the answer is up to date."""
        self.page.wait_for_timeout(400)
        self.page.locator(".what-changes:not(.busy)").wait_for()


@pytest.fixture
def shown(browser, tmp_path, record, figures):
    """A function that opens the report of an experiment with a playground."""
    opened: list[Shown] = []

    def show(playground: Playground, **settings) -> Shown:
        path = tmp_path / "page.html"
        path.write_text(render_page(record, figures, playground), encoding="utf-8")
        settings = {"viewport": {"width": 1280, "height": 900}} | settings
        opened.append(Shown(browser, path, **settings))
        return opened[-1]

    yield show
    for one in opened:
        one.context.close()
