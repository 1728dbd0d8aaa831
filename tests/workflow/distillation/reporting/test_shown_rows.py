import numpy as np
import pandas as pd
import pytest

from tutelage.data.structures.structured import StructuredRows
from tutelage.evaluation.records import AlignedAnswers
from tutelage.workflow.distillation.reporting.shown_rows import row_kind, shown_rows

ALIGNED = AlignedAnswers(
    "binary",
    ("no", "y" * 100),
    np.array([[0.9, 0.1], [0.2, 0.8], [0.45, 0.55]]),
    np.array([[0.8, 0.2], [0.9, 0.1], [0.6, 0.4]]),
    np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
)


def test_none_are_shown_unless_asked_for():
    assert shown_rows(["a", "b", "c"], ALIGNED, most=0) == ()


def test_only_disagreements_are_shown_the_largest_first():
    first, second = shown_rows(["a", "b", "c" * 1000], ALIGNED, most=12)
    assert (first.row, first.kind, first.content) == (1, "text", "b")
    assert first.difference == pytest.approx(0.7)
    assert (first.student, first.teacher, first.truth) == (f"{'y' * 60}... (80 %)", "no (90 %)", "no")
    assert second.row == 2
    assert len(second.content) < 700


def test_frames_show_cells_by_column():
    frame = pd.DataFrame({"age": [1.0, 41.5, 3.0], "city": ["Bonn", "<b>Oslo</b>", None], "since": pd.to_datetime(["2024-01-01"] * 3)})
    first, second = shown_rows(frame, ALIGNED, most=2)
    assert first.kind == "table"
    assert first.content["age"] == "41.5"
    assert first.content["city"] == "<b>Oslo</b>"
    assert second.content["city"] in ("None", "nan")


def test_wide_tables_are_cut():
    (first,) = shown_rows(np.arange(3 * 500.0).reshape(3, 500) - 7, ALIGNED, most=1)
    assert (first.kind, len(first.content)) == ("table", 40)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((3, 8, 8), (8, 8)),
        ((3, 1, 8, 8), (8, 8)),
        ((3, 8, 8, 1), (8, 8)),
        ((3, 3, 8, 6), (8, 6, 3)),
        ((3, 64), (8, 8)),
        ((3, 8, 6, 3), (8, 6, 3)),
        ((3, 3, 130, 64), (44, 22, 3)),
    ],
)
def test_pictures_are_pixels_from_0_to_255(shape, expected):
    rows = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    (first,) = shown_rows(rows, ALIGNED, most=1)
    pixels = np.array(first.content)
    assert first.kind == "picture"
    assert pixels.shape == expected
    assert 0 <= pixels.min() <= pixels.max() <= 255


@pytest.mark.parametrize("rows", [np.full((3, 64), -1.0), np.zeros((3, 49)), np.zeros((3, 65))])
def test_other_matrices_are_no_pictures(rows):
    assert shown_rows(rows, ALIGNED, most=1)[0].kind == "table"


def test_values_show_values_and_labels_show_those_that_apply():
    values = AlignedAnswers("regression", (), np.array([[1.0], [5.0]]), np.array([[1.0], [2.0]]), None)
    (only,) = shown_rows(["a", "b"], values, most=5)
    assert (only.row, only.student, only.teacher, only.truth) == (1, "5", "2", "")
    labels = AlignedAnswers("multilabel", ("x", "z"), np.array([[0.9, 0.8]]), np.array([[0.1, 0.2]]), None)
    (only,) = shown_rows(["a"], labels, most=5)
    assert (only.student, only.teacher) == ("x, z", "none")


def test_gaps_and_infinite_numbers_are_the_darkest_and_brightest_pixels():
    rows = np.linspace(1, 2, 3 * 64).reshape(3, 8, 8)
    rows[1, 0, :3] = (np.nan, np.inf, -np.inf)
    (first,) = shown_rows(rows, ALIGNED, most=1)
    assert first.content[0][:3] == [0, 255, 0]
    rows[:] = np.nan
    (first,) = shown_rows(rows, ALIGNED, most=1)
    assert not np.any(first.content)


def test_series_are_numbers():
    (first,) = shown_rows(np.arange(3 * 50 * 2.0).reshape(3, 50, 2), ALIGNED, most=1)
    assert (first.kind, len(first.content)) == ("table", 40)


def test_rows_are_columns_texts_pictures_or_several_inputs():
    kinds = {
        "table": (np.ones((3, 5)), pd.DataFrame({"a": [1, 2]}), np.ones((2, 3, 4)), np.stack([np.ones(64), -np.ones(64)])),
        "text": (["a text", "another"],),
        "picture": (np.ones((2, 28, 28)), np.ones((2, 3, 16, 16)), np.ones((2, 64))),
        "inputs": (StructuredRows.of({"a": np.ones((2, 3)), "b": np.ones((2, 1))}),),
    }
    assert {kind: {row_kind(rows) for rows in each} for kind, each in kinds.items()} == {kind: {kind} for kind in kinds}
