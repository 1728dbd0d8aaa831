import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from position_models import Given, GivenTeacher, drawn, drawn_pictures, rows_of
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, roc_auc_score
from torch import nn

from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.errors import BadInput, LabelMismatch, ShapeError, TutelageError
from tutelage.core.position_answers import PositionAnswers
from tutelage.evaluation.aligning.alignment import align
from tutelage.evaluation.displays.decisions import AgreementDisplay
from tutelage.evaluation.displays.fidelity import FidelityDisplay
from tutelage.evaluation.displays.reliability import ReliabilityDisplay
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.metrics.agreement import cross_entropy, kl_nats
from tutelage.evaluation.metrics.calibration import brier
from tutelage.evaluation.paired import compare
from tutelage.softlabels.recording import record
from tutelage.training.student import TorchStudent
from tutelage.workflow.evaluate import row_table

LENGTHS = np.array([3, 1, 5, 2, 4, 6, 2, 3])
NAMES = ("O", "B", "I")
X = rows_of(len(LENGTHS))
STUDENT, TEACHER = Given(drawn(LENGTHS, 3, 0), NAMES), GivenTeacher(drawn(LENGTHS, 3, 1), NAMES)
RNG = np.random.default_rng(2)
Y = [RNG.choice(NAMES, length).tolist() for length in LENGTHS]
FLAT = np.concatenate(Y)


def quick(student, teacher, rows=X, y=Y, **others):
    return evaluate(student, teacher, rows, y, resamples=100, budget_seconds=None, **others)


def test_figures_are_over_all_positions_and_equal_those_of_scikit_learn():
    found, probs = quick(STUDENT, TEACHER), STUDENT.answers.values
    decided = np.array(NAMES)[probs.argmax(axis=1)]
    figures = {name: estimate.value for name, estimate in found.against_truth.items()}
    codes = np.array([NAMES.index(name) for name in FLAT])
    nll = -np.log(probs[np.arange(len(codes)), codes]).mean()
    assert figures["accuracy"] == pytest.approx(accuracy_score(FLAT, decided))
    assert figures["f1"] == pytest.approx(f1_score(FLAT, decided, average="macro"))
    assert figures["auc"] == pytest.approx(roc_auc_score(codes, probs, multi_class="ovr"))
    assert figures["nll_nats"] == pytest.approx(nll, abs=1e-5)
    assert figures["perplexity"] == pytest.approx(np.exp(nll), abs=1e-4)
    low, high = found.against_truth["nll_nats"].interval.low, found.against_truth["nll_nats"].interval.high
    spread = found.against_truth["perplexity"].interval
    assert (spread.low, spread.high) == pytest.approx((np.exp(low), np.exp(high)))
    right = [(part == np.array(names)).all() for part, names in zip(np.split(decided, STUDENT.answers.offsets[1:-1]), Y, strict=True)]
    assert figures["exact_match"] == np.mean(right)
    assert (found.rows, found.answers_count, found.positions) == (8, LENGTHS.sum(), "tokens")
    assert "8 test rows, 26 tokens" in str(found)
    agreed = found.against_teacher["agreement"].value
    assert agreed == np.mean(probs.argmax(axis=1) == TEACHER.answers.values.argmax(axis=1))


def test_positions_without_truth_count_for_no_figure():
    y = [list(names) for names in Y]
    y[2][1], y[1][0] = -100, None  # the only token of row 1
    found = quick(STUDENT, TEACHER, y=y)
    kept = np.ones(len(FLAT), bool)
    kept[[3, 5]] = False
    assert (found.rows, found.answers_count) == (7, 24)
    of_teacher = (STUDENT.answers.values.argmax(axis=1) == TEACHER.answers.values.argmax(axis=1))[kept]
    assert found.against_teacher["agreement"].value == of_teacher.mean()
    assert any("2 tokens do not count" in note for note in found.notes)
    assert any("no position of theirs counts: 1 rows" in note for note in found.notes)


def test_sample_weight_weighs_rows():
    weights = np.array([2.0, 1, 1, 0, 1, 3, 1, 1])
    found = quick(STUDENT, TEACHER, sample_weight=weights)
    right = np.array(NAMES)[STUDENT.answers.values.argmax(axis=1)] == FLAT
    assert found.against_truth["accuracy"].value == pytest.approx(np.average(right, weights=weights[STUDENT.answers.row_of]))
    doubled = quick(STUDENT, TEACHER, sample_weight=2 * weights)
    assert doubled.against_truth == found.against_truth


def test_the_columns_of_a_student_follow_the_teacher():
    order = [2, 0, 1]
    other = Given(STUDENT.answers.with_values(STUDENT.answers.values[:, order]), [NAMES[place] for place in order])
    for group in ("against_truth", "against_teacher"):
        for name, estimate in getattr(quick(other, TEACHER), group).items():
            assert estimate.value == pytest.approx(getattr(quick(STUDENT, TEACHER), group)[name].value), name


def test_recorded_answers_are_a_teacher_as_good_as_the_live_one():
    recorded = record(TEACHER, X)
    live, stored = quick(STUDENT, TEACHER), quick(STUDENT, recorded)
    assert stored.against_teacher == live.against_teacher


def test_an_evaluation_of_positions_goes_through_json():
    pictures = quick(
        *(model(drawn_pictures(6, 3, seed), NAMES, "pixels") for seed, model in enumerate((Given, GivenTeacher))), rows_of(6), None
    )
    for found in (quick(STUDENT, TEACHER), pictures):
        read = Evaluation.from_json(found.to_json())
        assert read == found
        assert str(read) == str(found)
        assert read.iou == found.iou


def test_pixels_have_the_iou_of_each_class_and_its_mean():
    student, teacher = (model(drawn_pictures(6, 3, seed), NAMES, "pixels") for seed, model in enumerate((Given, GivenTeacher)))
    y = np.random.default_rng(5).choice(NAMES, (6, 4, 5))
    found = quick(student, teacher, rows_of(6), y)
    decided = np.array(NAMES)[student.answers.values.argmax(axis=1)]
    expected = jaccard_score(y.ravel(), decided, average=None, labels=list(NAMES))
    assert [each.of for each in found.iou["against_truth"]] == list(NAMES)
    np.testing.assert_allclose([each.value for each in found.iou["against_truth"]], expected)
    assert found.against_truth["mean_iou"].value == pytest.approx(expected.mean())
    assert "perplexity" not in found.against_truth
    assert "IoU of each class against the truth" in str(found)
    assert all(each.interval.low <= each.value <= each.interval.high for group in found.iou.values() for each in group)


def test_two_students_are_paired_by_row():
    other = Given(drawn(LENGTHS, 3, 7), NAMES)
    found = compare(STUDENT, other, X, Y)
    first, second = (quick(student, None) for student in (STUDENT, other))
    a, b = first.row_scores("accuracy"), second.row_scores("accuracy")
    assert a.values.shape == (8,)
    assert a.weights.tolist() == LENGTHS.tolist()
    assert found.difference == pytest.approx(a.mean - b.mean)
    assert found.difference == pytest.approx(first.against_truth["accuracy"].value - second.against_truth["accuracy"].value)
    by_perplexity = compare(first, second, metric="perplexity")
    assert by_perplexity.metric == "nll_nats"
    ratio = first.against_truth["perplexity"].value / second.against_truth["perplexity"].value
    assert np.exp(by_perplexity.difference) == pytest.approx(ratio)
    assert compare(first, second, metric="exact_match").over == "test rows"


def test_students_of_other_ground_truth_are_not_compared():
    y = [list(names) for names in Y]
    y[2][1] = -100
    with pytest.raises(LabelMismatch, match="count different positions: 25 tokens and 26 tokens"):
        compare(quick(STUDENT, TEACHER, y=y), quick(STUDENT, TEACHER))


def test_the_most_probable_classes_of_a_teacher_are_enough_for_its_figures():
    dense = TEACHER.answers.values
    ids = np.argsort(-dense, axis=1)[:, :2]
    kept = np.take_along_axis(dense, ids, axis=1)
    top = TopAnswers(ids.astype(np.uint16), np.log(kept), np.log(1 - kept.sum(axis=1)), 3)
    of_top = GivenTeacher(TEACHER.answers.with_values(top), NAMES)
    found, exact = quick(STUDENT, of_top), quick(STUDENT, TEACHER)
    for name in ("agreement", "agreement_where_teacher_is_wrong", "exact_agreement"):
        assert found.against_teacher[name].value == exact.against_teacher[name].value
    assert found.against_teacher["kl_nats"].value == pytest.approx(exact.against_teacher["kl_nats"].value, rel=1e-4)  # 2 of 3: all is known
    assert "brier" not in found.against_teacher
    assert found.against_truth == exact.against_truth


def test_a_student_of_which_the_most_probable_classes_are_known_has_a_bound():
    dense = STUDENT.answers.values
    ids = dense.argmax(axis=1)[:, None]
    kept = np.take_along_axis(dense, ids, axis=1)
    top = TopAnswers(ids.astype(np.uint16), np.log(kept), np.log(1 - kept.sum(axis=1)), 3)
    found, exact = quick(Given(STUDENT.answers.with_values(top), NAMES), TEACHER), quick(STUDENT, TEACHER)
    assert found.against_truth["accuracy"].value == exact.against_truth["accuracy"].value
    assert "perplexity" not in found.against_truth
    (note,) = [note for note in found.notes if "too many for its perplexity" in note]
    assert float(note.rsplit(maxsplit=1)[1].rstrip(".")) <= exact.against_truth["perplexity"].value
    assert any("There is no AUC" in note for note in found.notes)


PICTURES = Given(drawn_pictures(8, 3, 0), NAMES, "pixels")


class Rows:
    classes_ = np.array(NAMES)

    def predict_proba(self, rows):
        return np.full((len(rows), 3), 1 / 3)


class Shorter(Given):
    def predict_proba(self, rows):
        return super().predict_proba(rows)[:-1]


@pytest.mark.parametrize(
    ("student", "teacher", "y", "error", "says"),
    [
        (STUDENT, GivenTeacher(drawn(LENGTHS + 1, 3, 1), NAMES), Y, ShapeError, "row 0: the student answers 3 tokens and the teacher 4"),
        (
            STUDENT,
            GivenTeacher(drawn_pictures(8, 3, 1), NAMES, "pixels"),
            Y,
            LabelMismatch,
            "the student answers tokens and the teacher pixels",
        ),
        (
            PICTURES,
            GivenTeacher(drawn_pictures(8, 3, 1, (5, 4)), NAMES, "pixels"),
            None,
            ShapeError,
            "the student answers 4 by 5 pixels and the teacher 5 by 4",
        ),
        (STUDENT, TEACHER, Y[:-1], ShapeError, "y has 7 rows and X has 8"),
        (STUDENT, TEACHER, [*Y[:-1], ["O"]], ShapeError, "row 7 of y has 1 labels, and 3 answers"),
        (STUDENT, TEACHER, [*Y[:-1], ["O", "O", "X"]], LabelMismatch, "'X'"),
        (STUDENT, TEACHER, ["O"] * 8, ShapeError, "one label per row"),
        (STUDENT, TEACHER, [[-100] * length for length in LENGTHS], BadInput, "no position counts: y is -100 or None at every one"),
        (Given(drawn([0] * 8, 3, 0), NAMES), None, [[]] * 8, BadInput, "no position counts: the rows have none"),
        (STUDENT, None, None, BadInput, "there is nothing to measure the student against"),
        (Rows(), TEACHER, Y, ShapeError, r"expected \(rows, tokens, classes\)"),
        (STUDENT, lambda rows: np.full((len(rows), 3), 1 / 3), Y, TutelageError, "classes"),
        (Shorter(STUDENT.answers, NAMES), TEACHER, Y, LabelMismatch, "the student's answers: answers to 7 rows, and 8 were asked"),
        (Given(STUDENT.answers, NAMES, "pixels"), None, Y, ShapeError, "1 axes of positions; expected 2 for pixels"),
        (Given(STUDENT.answers, ("O", "B")), None, Y, ShapeError, "3 columns; expected 2"),
        (Given(STUDENT.answers, ("O", "B", "X")), TEACHER, Y, LabelMismatch, "the student's classes"),
        (Given(STUDENT.answers.with_values(STUDENT.answers.values * 2), NAMES), TEACHER, Y, TutelageError, "not probabilities"),
        (PICTURES, None, np.full((8, 5, 4), "O"), ShapeError, r"row 0 of y has shape \(5, 4\), and answers of height 4 and width 5"),
        (STUDENT, TEACHER, 3, ShapeError, "y is a int"),
        (STUDENT, TEACHER, "OBI", ShapeError, "y is a str"),
    ],
)
def test_a_wrong_call_is_one_sentence(student, teacher, y, error, says):
    with pytest.raises(error, match=says):
        quick(student, teacher, y=y)


def test_wrong_weights_are_one_sentence():
    with pytest.raises(ShapeError, match="one weight for each of 8 rows"):
        quick(STUDENT, TEACHER, sample_weight=np.ones(26))
    y = [[-100] * length for length in LENGTHS]
    y[0] = Y[0]
    with pytest.raises(BadInput, match="every weight is zero"):
        quick(STUDENT, TEACHER, y=y, sample_weight=[0] + [1] * 7)


def test_one_class_and_one_row_have_figures():
    one = align(Given(drawn([4], 3, 0), NAMES), None, rows_of(1), [["O"] * 4])
    assert one.rows == 1
    found = quick(Given(drawn([4], 3, 0), NAMES), None, rows_of(1), [["O"] * 4])
    assert found.against_truth["accuracy"].interval is None
    assert any("There is no AUC" in note for note in found.notes)


def test_positions_given_as_arrays_of_equal_rows_are_taken():
    class Arrays(Given):
        def predict_proba(self, rows):
            return np.full((len(rows), 2, 3), 1 / 3)

    assert quick(Arrays(None, NAMES), None, rows_of(4), [["O", "B"]] * 4).answers_count == 8
    assert isinstance(PositionAnswers.of_rows([np.zeros((1, 2))]), PositionAnswers)


MASK = (np.arange(6) < LENGTHS[:, None]).astype(int)
STRUCTURE = {"input_ids": np.arange(1, 9)[:, None] * MASK, "attention_mask": MASK}
PADDED = np.full(MASK.shape, -100, dtype=object)
PADDED[MASK == 1] = FLAT


class OfMappings(Given):
    """Takes what was given, a mapping of padded arrays, and does not say what its answers mean."""

    def __init__(self, answers, classes):
        super().__init__(answers, classes)
        del self.form

    def predict_proba(self, rows):
        assert set(rows) == {"input_ids", "attention_mask"}
        return self.answers[rows["input_ids"][:, 0] - 1]


class OfStructures(GivenTeacher):
    def answer(self, rows):
        return self.answers[rows.padded()["input_ids"][:, 0] - 1]


def test_rows_of_several_inputs_are_measured_as_others_are():
    expected = quick(STUDENT, TEACHER)
    teacher = OfStructures(TEACHER.answers, NAMES)
    for student in (OfMappings(STUDENT.answers, NAMES), OfStructures(STUDENT.answers, NAMES)):
        for rows, y in ((STRUCTURE, Y), (STRUCTURE, PADDED), ({**STRUCTURE, "labels": PADDED}, None)):
            found = quick(student, teacher, rows, y)
            assert found.against_truth == expected.against_truth
            assert found.against_teacher == expected.against_teacher
    cost = evaluate(OfMappings(STUDENT.answers, NAMES), teacher, STRUCTURE, Y, resamples=100, budget_seconds=0.001).cost
    assert (cost.alone.batch_rows, cost.batch.batch_rows) == (1, 8)
    with pytest.raises(BadInput, match="the rows hold labels, and y is given too"):
        quick(teacher, teacher, {**STRUCTURE, "labels": PADDED}, Y)


def test_a_torch_student_of_mappings_is_measured():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 3)

        def forward(self, input_ids, attention_mask):
            return self.embedding(input_ids) * attention_mask[..., None]

    torch.manual_seed(0)
    student = TorchStudent(Tagger(), classes=NAMES, positions="tokens").fit(STRUCTURE, y=Y, epochs=1)
    found = evaluate(student, OfStructures(TEACHER.answers, NAMES), STRUCTURE, Y, resamples=100, budget_seconds=0.001)
    decided = np.concatenate(student.predict(STRUCTURE))
    assert found.against_truth["accuracy"].value == pytest.approx((decided == FLAT).mean())
    assert found.cost.parts == 30


def test_displays_count_positions_and_draw_no_interval_by_position():
    found = quick(STUDENT, TEACHER)
    reliability = ReliabilityDisplay.from_evaluation(found, ax=Figure().subplots())
    assert reliability.counts_ax_.get_ylabel() == "tokens"
    assert not reliability.ax_.collections
    assert AgreementDisplay.from_evaluation(found, ax=Figure().subplots()).counts.sum() == 26
    assert len(FidelityDisplay.from_evaluation(found, ax=Figure().subplots()).teacher) == 3 * 26


def test_metrics_take_answers_of_positions():
    for metric in (cross_entropy, kl_nats, brier):
        np.testing.assert_array_equal(metric(TEACHER.answers, STUDENT.answers), metric(TEACHER.answers.values, STUDENT.answers.values))
    with pytest.raises(ShapeError, match="of different positions"):
        kl_nats(TEACHER.answers, STUDENT.answers[::-1])


def test_a_table_of_answers_by_row_is_refused():
    with pytest.raises(BadInput, match="this student answers tokens"):
        row_table(quick(STUDENT, TEACHER))


def test_a_wrong_call_asks_the_teacher_nothing():
    class Silent(GivenTeacher):
        def answer(self, rows):
            raise AssertionError("not to be asked")

    for student, y, weights in (
        (Given(STUDENT.answers, ("O", "B", "X")), Y, None),
        (STUDENT, Y[:-1], None),
        (STUDENT, Y, np.ones(26)),
        (PICTURES, Y, None),
    ):
        with pytest.raises(TutelageError):
            quick(student, Silent(TEACHER.answers, NAMES), y=y, sample_weight=weights)
