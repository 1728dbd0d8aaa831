import numpy as np
import pytest
from position_teachers import tagger, texts

from tutelage.checks.answers.padding import check_padding
from tutelage.checks.checklist import check_teacher
from tutelage.checks.preflight import preflight
from tutelage.core.errors import BadInput
from tutelage.data.structures.structured import StructuredRows
from tutelage.teachers.adapt import as_teacher

ROWS = StructuredRows.of(texts())


@pytest.mark.parametrize("pooled", [False, True])
def test_a_teacher_that_ignores_its_mask_is_found(pooled):
    (finding,) = check_padding(tagger(masked=False, pooled=pooled), ROWS)
    assert finding.severity == "error"
    assert "rows alone, and padded to the length of a longer row, the teacher's answers differ by up to" in finding.sentence
    assert "attention_mask" in finding.remedy
    found = {each.check: each.severity for each in preflight(tagger(masked=False, pooled=pooled), texts()).findings}
    assert found["padding"] == "error"
    assert "batch-independent" not in found  # the same fault


@pytest.mark.parametrize("pooled", [False, True])
def test_a_teacher_that_reads_its_mask_passes(pooled):
    (finding,) = check_padding(tagger(pooled=pooled), ROWS)
    assert finding.severity == "ok"
    check_teacher(tagger(pooled=pooled), texts())


def test_a_teacher_that_reads_its_last_token_by_a_pad_token_is_told_to_state_it():
    """A function states none, and its rows are padded with 0."""

    def last_token(rows):
        ids = rows["input_ids"]
        last = ids[np.arange(len(ids)), np.where(ids == 99, -1, np.arange(ids.shape[1])).max(axis=1)]
        return np.stack([last, -last], axis=1).astype(np.float32)

    teacher = as_teacher(last_token, classes=["a", "b"], kind="logits")
    (finding,) = check_padding(teacher, ROWS)
    assert finding.severity == "error"
    assert "set it to the tokenizer's pad token" in finding.remedy
    ids = StructuredRows.of(texts()).fields["input_ids"].padded(99)
    (finding,) = check_padding(teacher, StructuredRows.of({"input_ids": ids, "attention_mask": (ids != 99).astype(int)}))
    assert finding.severity == "ok"


def test_the_checklist_names_padding():
    with pytest.raises(BadInput, match=r"in another batch|padded to the length of a longer row"):
        check_teacher(tagger(masked=False), texts())


def test_rows_that_are_never_padded_are_not_asked():
    class Silent:
        def answer(self, inputs):
            raise AssertionError("not to be asked")

    equal = StructuredRows.of({"input_ids": np.ones((3, 4), int), "attention_mask": np.ones((3, 4), int)})
    unmasked = StructuredRows.of({"input_ids": [[1], [1, 2]]})
    for rows in (equal, unmasked, np.zeros((3, 4)), ["a", "b"]):
        assert not list(check_padding(Silent(), rows))


def test_a_teacher_whose_answers_depend_on_the_batch_is_another_check_s_finding():
    sound = tagger()

    class ByBatch:
        form, fingerprint = sound.form, "batch"

        def answer(self, inputs):
            found = sound.answer(inputs)
            return found.with_values(found.values + len(inputs) * np.array([1.0, 0, 0], dtype=np.float32))

    assert not list(check_padding(ByBatch(), ROWS))
