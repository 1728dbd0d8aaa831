"""A record with every case that a report must show."""

import shutil
from dataclasses import replace

import pytest

from tutelage.core.records import Comparison, Cost, Interval, Latency, Parity
from tutelage.report.records import (
    Arm,
    Figures,
    LabelRow,
    LabelTable,
    Matrix,
    PublishedRow,
    PublishedTable,
    Region,
    Regions,
    RunRecord,
    Scatter,
)


def cost_of_a_file(size_bytes: int, alone_us: float, batch_us: float, batch_rows: int) -> Cost:
    """The cost of an exported file, with these median latencies."""
    alone, batch = (Latency(us, us, None, 3, rows) for us, rows in ((alone_us, 1), (batch_us, batch_rows)))
    return Cost(size_bytes, "file", alone=alone, batch=batch)


TEACHER = Arm(
    "teacher",
    "a big <script>alert(1)</script> network",
    27_413_130,
    "weights",
    (0,),
    {"test_accuracy": (0.984,), "test_errors": (160,), "fidelity": (1.0,)},
    Interval(0.9813, 0.9863, "test rows"),
    published={"test_errors": 248, "test_accuracy": 0.9752},
    cost=cost_of_a_file(109_700_000, 1234.5, 900.0, 500),
    parity=Parity(500, 13, 0.0, 1e-5, 0),
)
STUDENT = Arm(
    "student-soft",
    "a small one",
    8070,
    "weights",
    (0, 1),
    {"test_accuracy": (0.94, 0.95), "test_errors": (600, 500), "fidelity": (0.95, 0.96)},
    Interval(0.93, 0.96, "seeds"),
    chosen={"temperature": 2.0},
    cost=cost_of_a_file(36_000, 5.21, 0.023, 1000),
    parity=Parity(10_000, 13, 3e-7, 1e-5, 0),
)
HARD = replace(STUDENT, name="student-hard", interval=None, cost=None, parity=None, chosen={"min_samples_leaf": [5, 20]})
CAUTION = "200 rows may miss rare losses."
COMPARISONS = (
    Comparison("student-soft", "student-hard", "test_accuracy", 0.0021, (-0.001, 0.0052), "no difference", "Does it gain?", "seeds"),
    Comparison("student-soft", "teacher", "test_accuracy", -0.0381, (-0.042, -0.034), "worse", "What is lost?", "seeds and test rows"),
    Comparison("teacher", "student-hard", "test_accuracy", 0.04, (0.00004, 0.08), "beats", "Is the teacher better?", "seeds", CAUTION),
)


@pytest.fixture(scope="session")
def record() -> RunRecord:
    return RunRecord(
        recipe="mnist",
        title="A title & more",
        summary="A summary.",
        headline="test_accuracy",
        options={"seed": 0, "seeds": 2, "quick": False, "as_published": True},
        protocol=("First this.", "Then that."),
        data={"name": "MNIST", "attribution": "LeCun, CC BY-SA 3.0"},
        environment={"python": "3.11.7"},
        arms=(TEACHER, STUDENT, HARD),
        comparisons=COMPARISONS,
        seconds={"total": 12.0, "teacher": 8.0, "students": 3.0},
        published=PublishedTable((PublishedRow("Student on hard labels", 1366, (1300, 1500), (610, 612)),), "Because of two mistakes."),
        by_labels=LabelTable(("student-soft", "teacher"), (LabelRow(12_345, "student-hard"),), "Labels are few & dear."),
    )


@pytest.fixture(scope="session")
def figures() -> Figures:
    return Figures(
        matrices=(Matrix("Knows", "A caption.", "true class", "mean soft label", ("a", "b"), ((0.9, 0.1), (0.0002, 0.9998))),),
        regions=(
            Regions(
                "Regions", "Where.", (0.0, 1.0, 2.0), (0.0, 1.0), (Region("tree", ((0.1, 0.6, 0.9), (0.2, 0.4, 0.8))),), ((0.5, 0.5, 1),)
            ),
        ),
        scatters=(Scatter("Scatter", "How well.", {"tree": ((0.0, 0.1), (2.0, 1.9)), "line": ((0.0, 0.5),), "third": ((1.0, 1.0),)}),),
    )


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

MEASURE = """
() => {
  const page = document, width = document.documentElement.clientWidth, beyond = [];
  for (const element of page.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect(), head = element.closest("thead");
    const unseen = head && getComputedStyle(head).clipPath != "none";
    if (!unseen && box.width && (box.right > width + 0.5 || box.left < -0.5)) beyond.push(element.tagName + " " + box.right);
  }
  const holders = [...page.querySelectorAll(".table, td, th, dd, p, li, pre")];
  const cut = holders.filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth);
  const texts = [...page.querySelectorAll("svg text")].filter(one => one.getBoundingClientRect().width);
  const outside = texts.filter(one => {
    const box = one.getBoundingClientRect(), around = one.ownerSVGElement.getBoundingClientRect();
    return box.left < around.left - 1 || box.right > around.right + 1;
  });
  return {
    too_wide: page.documentElement.scrollWidth > width, beyond, scripts: page.scripts.length,
    cut: cut.map(one => one.tagName + ": " + one.textContent.slice(0, 60)),
    outside: outside.map(one => one.textContent),
    smallest: Math.min(...texts.map(one => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)),
  };
}
"""


@pytest.fixture(scope="package")
def browser():
    """Chromium, once for all tests of the report."""
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


def check(found: dict, scripts: int = 0) -> None:
    """No other scripts are there; nothing is too wide, cut off or outside its chart, and texts of charts are 10.5 pixels high at least."""
    smallest = found.pop("smallest")
    assert found == {"too_wide": False, "beyond": [], "scripts": scripts, "cut": [], "outside": []}
    assert smallest >= 10.5


@pytest.fixture(scope="session")
def fits():
    """A function that checks that an open page fits its screen."""
    return lambda page, scripts=0: check(page.evaluate(MEASURE), scripts)


@pytest.fixture
def fit(browser, tmp_path):
    """A function that opens pages at their widths, and checks that each fits."""

    def check_all(pages: list[tuple[str, int]]) -> None:
        for text, width in pages:
            path = tmp_path / "page.html"
            path.write_text(text, encoding="utf-8")
            page = browser.new_page(viewport={"width": width, "height": 2000})
            page.goto(path.as_uri())
            check(page.evaluate(MEASURE))
            page.close()

    return check_all
