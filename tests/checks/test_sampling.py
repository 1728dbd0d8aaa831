import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sound_teachers import CustomTeacher

from tutelage.checks.findings import Finding
from tutelage.checks.sampling import SampleAnswers, draw, query_sample
from tutelage.core.answers import AnswerForm
from tutelage.data.row_names import row_names
from tutelage.data.structures.row_parts import concatenated, rows_at

MATRIX = np.arange(40.0).reshape(20, 2)
NUMBERS = AnswerForm("logits", "multiclass", tuple(range(20)))
MULTI = AnswerForm("probabilities", "multiclass", ("a", "b", "c"))
HOLDERS = {
    "array": MATRIX,
    "tensor": torch.tensor(MATRIX),
    "pandas": pd.DataFrame(MATRIX),
    "polars": pl.DataFrame(MATRIX),
    "sparse": sparse.csr_matrix(MATRIX),
    "list": MATRIX.tolist(),
}


@pytest.mark.parametrize("holder", sorted(HOLDERS))
def test_rows_are_drawn_with_their_labels_in_every_container(holder):
    sample = draw(HOLDERS[holder], np.arange(20), NUMBERS, rows=7, seed=1)
    assert (sample.count, sample.of_count, len(set(sample.labels))) == (7, 20, 7)
    np.testing.assert_array_equal(row_names(sample.inputs), row_names(MATRIX[sample.labels]))


def test_texts_are_drawn_and_concatenated_as_lists():
    texts = [f"text {index}" for index in range(9)]
    sample = draw(texts, np.arange(9), NUMBERS, rows=3, seed=0)
    assert sample.inputs == [texts[place] for place in sample.labels]
    assert concatenated([texts[:2], texts[2:3]]) == texts[:3]


def test_a_sample_of_all_rows_is_in_their_order():
    sample = draw(MATRIX, None, MULTI, rows=20, seed=0)
    assert (sample.count, sample.of_count, sample.labels) == (20, 20, None)
    np.testing.assert_array_equal(sample.inputs, MATRIX)


@pytest.mark.parametrize("holder", ["array", "pandas", "sparse"])
def test_concatenated_parts_equal_the_whole(holder):
    rows = HOLDERS[holder]
    parts = [rows_at(rows, np.arange(4)), rows_at(rows, np.arange(4, 20))]
    np.testing.assert_array_equal(row_names(concatenated(parts)), row_names(MATRIX))


def test_answers_of_another_form_are_a_finding():
    sample = draw(MATRIX, None, MULTI, rows=20, seed=0)
    found = query_sample(CustomTeacher(lambda rows: np.ones((len(rows), 3)), MULTI), sample)
    assert isinstance(found, Finding)
    assert found.severity == "error"
    assert "20 of 20 rows are not probabilities" in found.sentence
    short = query_sample(CustomTeacher(lambda rows: np.ones((3, 3)) / 3, MULTI), sample)
    assert "3 answers to 20 rows" in short.sentence


def test_cases_leave_out_rows_without_a_known_label():
    p = np.full((4, 3), 1 / 3)
    sample = draw(MATRIX[:4], np.array(["a", "z", "c", None], dtype=object), MULTI, rows=4, seed=0)
    chances, codes = SampleAnswers(sample, MULTI, p).cases
    assert (chances.shape, codes.tolist()) == ((2, 3), [0, 2])
    unknown = draw(MATRIX[:4], np.array(list("wxyz")), MULTI, rows=4, seed=0)
    assert SampleAnswers(unknown, MULTI, p).cases is None


def test_cases_of_multilabel_are_rows_times_labels():
    form = AnswerForm("probabilities", "multilabel", ("a", "b"))
    sample = draw(MATRIX[:2], np.array([[0, 1], [1, 1]]), form, rows=2, seed=0)
    chances, codes = SampleAnswers(sample, form, np.array([[0.1, 0.9], [0.8, 0.7]])).cases
    np.testing.assert_allclose(chances[:, 1], [0.1, 0.9, 0.8, 0.7])
    assert codes.tolist() == [0, 1, 1, 1]
