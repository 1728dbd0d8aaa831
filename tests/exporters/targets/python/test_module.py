"""Modules of Python as their callers use them."""

import ast
import importlib.util
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

import tutelage as tl
from tutelage.core.errors import ParityError
from tutelage.exporters.program.build import program_of
from tutelage.exporters.subject.subject import subject_of
from tutelage.exporters.targets import python
from tutelage.exporters.targets.job import Job, Settings
from tutelage.exporters.targets.python.module import _FUNCTIONS
from tutelage.exporters.targets.python.runtime import PythonRuntime
from tutelage.exporters.targets.python.tables import Module, wrapped
from tutelage.students.columns import with_columns

RANDOM = np.random.default_rng(0)
COUNT = 120
FRAME = pd.DataFrame(
    {
        "age": np.where(RANDOM.random(COUNT) < 0.1, np.nan, RANDOM.normal(40, 10, COUNT).round()),
        'a "b"\\': RANDOM.choice(['"""', "keys", "\u2028\\", "nan"], COUNT),
        "on": RANDOM.random(COUNT) < 0.5,
    }
)
CODES = (FRAME["age"].fillna(20) > 40).to_numpy().astype(int) + (FRAME['a "b"\\'] == "keys").to_numpy()
X = RANDOM.normal(size=(COUNT, 3))


def text_of(student, rows, stem="student"):
    subject, checked = subject_of(student, rows)
    job = Job(subject, checked, program_of(subject, checked), stem, Settings())
    return python.write(job, ["Python, written by tutelage.", "Not compared."])[f"{stem}.py"].decode()


def module_of(folder, student, rows):
    path = folder / "student.py"
    path.write_text(text_of(student, rows), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("student", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fitted(*, scaled=False):
    student = tl.SoftLogistic() if scaled else tl.SoftTree(max_leaf_nodes=12, random_state=0)
    return with_columns(student, FRAME, scaled=scaled).fit(FRAME, CODES)


def test_rows_are_sequences_or_mappings_of_plain_or_numpy_values(tmp_path):
    student = fitted()
    module = module_of(tmp_path, student, FRAME)
    assert tuple(FRAME.columns) == module.COLUMNS
    expected = student.predict_proba(FRAME[:20])
    rows = FRAME[:20].to_dict("records")
    assert np.allclose([module.predict_proba(row) for row in rows], expected, atol=1e-15)
    assert np.allclose([module.predict_proba(list(row.values())) for row in rows], expected, atol=1e-15)
    assert np.allclose([module.predict_proba(row) for _, row in FRAME[:20].iterrows()], expected, atol=1e-15)
    assert [module.predict(row) for row in rows] == student.predict(FRAME[:20]).tolist()
    assert module.predict_proba([None, None, None]) == module.predict_proba([float("nan"), float("nan"), None])
    assert module.predict_proba([Decimal(40), np.str_("keys"), np.True_]) == module.predict_proba([40.0, "keys", 1])


@pytest.mark.parametrize(
    ("row", "error", "message"),
    [
        ([1, "a"], ValueError, "the row has 2 cells; expected 3"),
        (["40", "a", True], TypeError, "a cell holds a text; expected a number, or None"),
        ([40, 5, True], TypeError, "a cell holds a int; expected a text, or None"),
        ([10**400, "a", True], ValueError, "a cell holds a whole number beyond all numbers of double precision"),
        ({"age": 1}, KeyError, "a .b"),
        ("text", ValueError, "the row has 1 cells; expected 3"),
    ],
)
def test_rows_that_do_not_fit_are_one_sentence(row, error, message, tmp_path):
    module = module_of(tmp_path, fitted(), FRAME)
    with pytest.raises(error, match=message):
        module.predict(row)


def test_a_row_that_the_student_refuses_is_an_error_and_not_a_class(tmp_path):
    module = module_of(tmp_path, tl.SoftLogistic().fit(X, CODES), X)
    assert module.predict([0.0, 0, 0]) in (0, 1, 2)
    with pytest.raises(ValueError, match="this row has no answer: a number is missing or too large"):
        module.predict([None, 0, 0])


@pytest.mark.parametrize("classes", [("a", "b'\"\\", "\u2028"), (True, False), (0.5, float("inf"), -1.0), (2**70, -3, 0)])
def test_class_names_of_any_kind(classes, tmp_path):
    labels = np.arange(COUNT) % len(classes)
    answers = tl.as_teacher(
        lambda rows: np.eye(len(classes))[labels[: len(rows)]], kind="probabilities", task="multiclass", classes=classes
    )
    student = tl.DistilledClassifier(answers, tl.SoftTree(max_leaf_nodes=6)).fit(X)
    module = module_of(tmp_path, student, X)
    assert classes == module.CLASSES
    assert [module.predict(row) for row in X.tolist()] == student.predict(X).tolist()


@pytest.mark.parametrize("name", ["前回のご利用日からの経過日付情報一覧", "дата последнего обращения клиента"])
def test_a_long_name_beyond_ascii_of_a_column_with_a_unit(name, tmp_path):
    frame = pd.DataFrame({name: RANDOM.random(COUNT) < 0.5, "v": np.arange(float(COUNT))})
    student = DecisionTreeClassifier(max_depth=2).fit(frame, frame[name])
    assert ascii(name)[1:-1] in " ".join(text_of(student, frame).split('"""')[1].replace("\n", " ").split())
    assert module_of(tmp_path, student, frame).predict({name: True, "v": 1.0}) is True


def test_texts_may_be_given_alone(tmp_path):
    texts = ["good film", "bad film", "good", "bad", "the Good", ""] * 5
    student = with_columns(tl.SoftLogistic(), texts, scaled=False).fit(texts, [1, 0, 1, 0, 1, 0] * 5)
    module = module_of(tmp_path, student, texts)
    expected = student.predict_proba(texts[:6])
    assert np.allclose([module.predict_proba(text) for text in texts[:6]], expected, atol=1e-6)
    assert module.predict_proba(["good film"]) == module.predict_proba("good film")
    assert module.predict_proba("") == module.predict_proba([None])


@pytest.mark.parametrize("scaled", [False, True])
def test_a_module_is_plain_python_of_the_standard_library(scaled):
    text = text_of(fitted(scaled=scaled), FRAME)
    tree = ast.parse(text, feature_version=(3, 9))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports}
    assert imported <= {"__future__", "base64", "collections", "collections.abc", "math", "operator", "re", "struct", "typing"}
    assert not any(isinstance(node, ast.Name) and node.id in ("eval", "exec", "compile", "__import__") for node in ast.walk(tree))
    assert "Example:\n    import student\n" in ast.get_docstring(tree)
    assert "Example:" not in ast.get_docstring(ast.parse(text_of(fitted(scaled=scaled), FRAME, stem="my-student")))
    assert "\n\n\n\n" not in text
    assert max(map(len, text.splitlines())) <= 140


def test_each_copied_function_calls_only_functions_that_are_copied_with_it():
    assert len(_FUNCTIONS) > 30
    names = {node.id for text in _FUNCTIONS.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert {name for name in names if name.startswith("_")} <= {*_FUNCTIONS, "_IS_TEXT", "_"}


def test_a_module_passes_a_linter_and_a_formatter(tmp_path):
    path = tmp_path / "student.py"
    path.write_text(text_of(fitted(scaled=True), FRAME), encoding="utf-8")
    rules = ["check", "--isolated", "--select", "E4,E7,E9,F,I,B,UP", "--target-version", "py39"]
    for options in (rules, ["format", "--isolated", "--check", "--line-length", "140"]):
        ran = subprocess.run([sys.executable, "-m", "ruff", *options, str(path)], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout


def test_large_tables_are_packed_and_small_ones_shown():
    module = Module()
    assert module.table("WEIGHTS", [0.5, -0.0, np.inf]) == "_WEIGHTS_0"
    assert module.tables == ["_WEIGHTS_0 = (0.5, -0.0, math.inf)\n"]
    module.table("MANY", np.arange(1000))
    assert module.tables[1].startswith('_MANY_0 = _unpack(\n    "h",\n    "AAABAAIA')
    assert wrapped(["1"]) == "(1,)"


def test_a_module_that_fails_is_a_parity_error(tmp_path):
    student = fitted()
    subject, rows = subject_of(student, FRAME)
    (tmp_path / "student.py").write_text("raise SystemExit(3)")
    with pytest.raises(ParityError, match=r"fails in Python .*: exit status 3; nothing was written"):
        PythonRuntime().answers(tmp_path / "student.py", program_of(subject, rows), rows)
    (tmp_path / "student.py").write_text("1 / 0")
    with pytest.raises(ParityError, match="ZeroDivisionError"):
        PythonRuntime().answers(tmp_path / "student.py", program_of(subject, rows), rows)
