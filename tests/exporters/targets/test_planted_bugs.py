"""The comparison finds a bug in any part of what is written."""

import shutil
from itertools import product

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import ParityError
from tutelage.exporters.export import TARGETS, export
from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import edge_cases
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets import javascript, python
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.sql import target as sql
from tutelage.students.columns import with_columns

NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
RANDOM = np.random.default_rng(0)
COUNT = 150
FRAME = pd.DataFrame(
    {
        "age": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.normal(40, 10, COUNT).round()),
        "city": np.where(RANDOM.random(COUNT) < 0.1, None, RANDOM.choice(["Rome", "Oslo", "Bonn"], COUNT)),
    }
)
LABELS = ((FRAME["age"].fillna(20) > 42) ^ (FRAME["city"] == "Rome")).astype(int).to_numpy() + (FRAME["city"] == "Oslo").to_numpy()
WORDS = ["good", "bad", "FILM", "the", "x"]
TEXTS = [" ".join(RANDOM.choice(WORDS, size=RANDOM.integers(0, 6))) for _ in range(COUNT)]
STUDENTS = {
    "tree": (with_columns(tl.SoftTree(max_leaf_nodes=12, random_state=0), FRAME, scaled=False), FRAME),
    "boosting": (with_columns(tl.SoftBoosting(n_estimators=2), FRAME, scaled=False), FRAME),
    "logistic": (with_columns(tl.SoftLogistic(), FRAME, scaled=True), FRAME),
    "mlp": (with_columns(tl.SoftMLP(hidden_layer_sizes=(4,), epochs=400, learning_rate=0.02, random_state=0), FRAME, scaled=True), FRAME),
    "texts": (with_columns(tl.SoftLogistic(), TEXTS, scaled=False), TEXTS),
}
QUICK = ((".js", "tree"), (".py", "texts"))
BUGS = [
    (".js", "tree", "cell <= threshold[node]", "cell < threshold[node]"),
    (".js", "tree", "(missingLeft[node] && Number.isNaN(cell))", "false"),
    (".js", "tree", "?? -1)", "?? 1)"),
    (".js", "boosting", "(tree * width) % sums.length", "0"),
    (".js", "boosting", "share / total", "share"),
    (".js", "logistic", "Number.isNaN(x) ? ", "false ? "),
    (".js", "logistic", "place === codes[i]", "place + 1 === codes[i]"),
    (".js", "mlp", "return x <= 0 ? 0 : x", "return x"),
    (".js", "mlp", "+ intercepts[i % outputs]", ""),
    (".js", "mlp", "classes[probabilities.indexOf(Math.max", "classes[probabilities.lastIndexOf(Math.min"),
    (".js", "texts", ".toLowerCase()", ""),
    (".js", "texts", "{2,}/gu", "{1,}/gu"),
    (".js", "texts", 'norm === "l2" ? value * value', 'norm === "l2" ? value'),
    (".js", "texts", ".slice(start, start + length)", ".slice(start)"),
    (".py", "tree", "cell <= threshold[node]", "cell < threshold[node]"),
    (".py", "tree", "(cell != cell and missing_left[node])", "False"),
    (".py", "boosting", "number * width % len(sums)", "0"),
    (".py", "logistic", "place == code)", "place + 1 == code)"),
    (".py", "mlp", "+ intercept)", ")"),
    (".py", "mlp", "max(probabilities)", "min(probabilities)"),
    (".py", "texts", "text.lower() if lowercase", "text if lowercase"),
    (".py", "texts", "1.0 + math.log(value)", "math.log(value)"),
    (".sql", "tree", " OR v0_0 IS NULL)", ")"),
    (".sql", "tree", " IS NULL THEN -2.0e0", " IS NULL THEN 2.0e0"),
    (".sql", "tree", "'Rome'", "'rome'"),
    (".sql", "boosting", " / ", " * "),
    (".sql", "logistic", "COALESCE(v0_0, ", "COALESCE(v0_0, 1e0 + "),
    (".sql", "logistic", " = 1.0e0 THEN 1e0", " = 0.0e0 THEN 1e0"),
    (".sql", "mlp", "<= 0 THEN 0e0", "<= 0 THEN 1e0"),
    (".sql", "mlp", "THEN 2 END AS prediction", "THEN 1 END AS prediction"),
]


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", COUNT)


@pytest.fixture(scope="module")
def fitted():
    return {name: (student.fit(rows, LABELS), rows) for name, (student, rows) in STUDENTS.items()}


def marks(end, student):
    return [*([NODE] if end == ".js" else []), *([] if (end, student) in QUICK else [pytest.mark.slow])]


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize(("end", "student", "right", "wrong"), [pytest.param(*bug, marks=marks(*bug[:2])) for bug in BUGS])
def test_a_planted_bug_is_found_and_no_file_is_written(end, student, right, wrong, fitted, monkeypatch, tmp_path):
    target = {".js": javascript, ".py": python, ".sql": sql}[end]
    write = target.write

    def with_bug(job, header):
        (name, content), *others = write(job, header).items()
        assert right in content.decode()
        return {name: content.replace(right.encode(), wrong.encode()), **dict(others)}

    monkeypatch.setattr(target, "write", with_bug)
    with pytest.raises(ParityError, match=r"the exported (file|module)"):
        export(fitted[student][0], tmp_path / f"student{end}", check_on=fitted[student][1])
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize(("end", "student"), [pytest.param(*case, marks=marks(*case)) for case in product((".py", ".js"), STUDENTS)])
def test_without_a_bug_it_is_written_and_always_in_the_same_bytes(end, student, fitted, tmp_path):
    record = export(fitted[student][0], tmp_path / f"student{end}", check_on=fitted[student][1])
    assert record.proven
    assert record.target == TARGETS[end][0]
    assert len(list(tmp_path.iterdir())) == (3 if end == ".js" else 2)
    contents = []
    for _ in range(2):
        subject, rows = subject_of(*fitted[student])
        contents.append(
            {".js": javascript, ".py": python}[end].write(Job(subject, rows, program_of(subject, rows), "student", Settings()), ["a"])
        )
    assert contents[0] == contents[1]
