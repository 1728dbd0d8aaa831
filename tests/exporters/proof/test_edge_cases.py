import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tutelage.exporters.program.build import program_of
from tutelage.exporters.proof import edge_cases as module
from tutelage.exporters.proof.edge_cases import edge_cases, ordinary_rows
from tutelage.exporters.subject.check_rows import CheckRows
from tutelage.exporters.subject.subject import subject_of
from tutelage.students.columns import with_columns
from tutelage.students.trees import SoftTree

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"town": RNG.choice(["Rome", "Köln"], 80), "size": RNG.normal(size=80)})


def test_given_rows_come_first_and_made_ones_have_cells_of_the_same_columns(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 100)
    rows = CheckRows(np.column_stack([np.arange(40.0), -np.arange(40.0)]), np.array([["a"], ["b"]] * 20, dtype=object))
    made = ordinary_rows(rows)
    assert len(made) == 100
    np.testing.assert_array_equal(made.numbers[:40], rows.numbers)
    assert (made.numbers[40:, 0] >= 0).all()
    assert (made.numbers[40:, 1] <= 0).all()
    assert (made.numbers[40:, 0] != -made.numbers[40:, 1]).any()  # columns are drawn one by one
    assert set(made.texts[40:, 0]) == {"a", "b"}
    many = ordinary_rows(CheckRows.of_numbers(np.arange(1000.0)[:, None]))
    assert len(many) == 100
    assert (many.numbers[0, 0], many.numbers[-1, 0]) == (0, 999)


def test_texts_are_missing_empty_unseen_and_each_known_one():
    student = with_columns(SoftTree(max_leaf_nodes=6), FRAME, scaled=False)
    student.fit(FRAME, np.eye(2)[(FRAME["size"] > 0).astype(int)], student__classes=[0, 1])
    subject, rows = subject_of(student, FRAME)
    groups = edge_cases(rows, program_of(subject, rows))
    assert groups["missing texts"].texts.tolist() == [[None]]
    assert groups["empty texts"].texts.tolist() == [[""]]
    assert set(groups["known categories"].texts[:, 0]) == {"Rome", "Köln"}
    unseen = set(groups["unseen categories"].texts[:, 0])
    assert {"rome", "Rome ", " Köln", "KÖLN", "Köl"} <= unseen
    assert not unseen & {"Rome", "Köln"}


def test_splits_on_a_column_after_a_text_are_reached():
    student = with_columns(SoftTree(max_leaf_nodes=2), FRAME, scaled=False)
    student.fit(FRAME, np.eye(2)[(FRAME["size"] > 0).astype(int)], student__classes=[0, 1])
    subject, rows = subject_of(student, FRAME)
    program = program_of(subject, rows)
    ((trees, places),) = program.split_columns
    assert len(trees.trees) == 1
    threshold = trees.double_threshold(trees.trees[0])[0]
    cells = edge_cases(rows, program)["splits"].numbers[:, 0]
    assert {threshold, np.nextafter(threshold, np.inf)} <= set(cells)
    assert places[trees.trees[0].feature[0]] == 0


def test_words_are_spelled_with_capitals_of_a_peculiar_lower_case():
    texts = ["istanbul stra\u00dfe", "\u03bf\u03b4\u03cc\u03c2 kiwi"] * 10
    student = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, np.arange(20) % 2)
    subject, rows = subject_of(student, texts)
    spelled = set(edge_cases(rows, program_of(subject, rows))["words in other spellings"].texts[:, 0])
    assert {"ISTANBUL", "Kiwi", "\u0130stanbul", "\u212aiwi", "stra\u1e9ee", "\u03bf\u03b4\u03cc\u03a3"} <= spelled
    assert {"kiwi\u0130", "kiwi-kiwi_kiwi1", "ISTANBUL KIWI"} <= spelled
    many = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit([f"word{i}" for i in range(2000)], np.arange(2000) % 2)
    subject, rows = subject_of(many, texts)
    spelled = edge_cases(rows, program_of(subject, rows))["words in other spellings"]
    assert len(spelled) <= 2 * 10 * module.SPELLED
