"""Published bugs that show in a teacher's answers: each is planted and must be found; a correct version must pass.

Bugs in a loss or a training loop are not covered here: the missing T^2 factor, reduction and argument order of KLDivLoss,
NCKD with two classes, students left in eval mode, folds that are not re-initialised. "Original demo" is the demo whose
protocol `tutelage run mnist --as-published` repeats; the other names are repositories with the number of the issue.
"""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sound_teachers import CustomTeacher, calling, severity

from tutelage.checks.preflight import preflight
from tutelage.core.answers import AnswerForm, of_classes, two_columns
from tutelage.core.arrays import sigmoid, softmax
from tutelage.data.row_names import row_names
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.adapters.estimator import EstimatorTeacher
from tutelage.teachers.adapters.torch_module import TorchTeacher

pytestmark = pytest.mark.slow

TEN = tuple(range(10))


def check_bug_is_found(bad, good, digits, check, expected, **options):
    """The planted bug is found by its check with its severity; the correct version gets no finding above a note."""
    found = preflight(bad, digits.rows, digits.labels, made_rows=False, **options)  # whether it knows the rows is another question
    assert severity(found, check) == expected, str(found)
    correct = preflight(good, digits.rows, digits.labels, **options)
    assert severity(correct, check) in ("ok", "note", None)
    assert correct.ok, str(correct)
    return next(finding for finding in found.findings if finding.check == check)


@pytest.mark.exhaustive(every=7)
@pytest.mark.parametrize(
    ("change", "kind", "correct", "check", "expected"),
    [
        pytest.param(softmax, "logits", None, "declared-kind", "error", id="original demo, notebook 2: softmax outputs declared as logits"),
        pytest.param(
            lambda z: softmax(softmax(z)),
            "probabilities",
            softmax,
            "double-softmax",
            "error",
            id="original demo, notebook 2: double softmax",
        ),
        pytest.param(lambda z: z, "probabilities", softmax, "answers", "error", id="keras.distillation: logits to from_logits=False"),
        pytest.param(
            lambda z: np.log(softmax(z)), "probabilities", softmax, "answers", "error", id="KD_Lib: log-probabilities as a target"
        ),
        pytest.param(
            lambda z: 3.5 * z,
            "logits",
            None,
            "calibration",
            "warning",
            id="original demo, notebook 2: temperature 3.5 in the loss",
        ),
        pytest.param(lambda z: np.maximum(z, 0), "logits", None, "relu-logits", "warning", id="original demo, notebook 1: Dense(relu)"),
        pytest.param(
            lambda z: np.maximum(z, 0),
            "probabilities",
            softmax,
            "answers",
            "error",
            id="original demo, README: ReLU outputs as probabilities",
        ),
        pytest.param(
            lambda z: np.eye(10)[z.argmax(1)], "probabilities", softmax, "saturated", "warning", id="mixle PR 96: argmax for soft labels"
        ),
        pytest.param(
            lambda z: np.maximum(np.eye(10)[z.argmax(1)], 1e-7),
            "probabilities",
            softmax,
            "clipped",
            "warning",
            id="clipped one-hot answers",
        ),
        pytest.param(lambda z: np.round(softmax(z), 4), "probabilities", softmax, "rounded", "warning", id="logged with 4 decimals"),
        pytest.param(
            lambda z: softmax(z).astype(np.float16), "probabilities", softmax, "rounded", "warning", id="logged in half precision"
        ),
        pytest.param(
            lambda z: 0.9 * np.eye(10)[z.argmax(1)] + 0.01,
            "probabilities",
            softmax,
            "dark-knowledge",
            "warning",
            id="trained with label smoothing",
        ),
        pytest.param(lambda z: z[:, :9], "logits", None, "answers", "error", id="trl 4562, 2215: truncated columns"),
        pytest.param(lambda z: np.roll(z, 1, axis=1), "logits", None, "class-order", "error", id="columns in another order"),
        pytest.param(lambda z: z - 60 * np.eye(10)[4], "logits", None, "dead-class", "warning", id="a class that is never predicted"),
        pytest.param(np.zeros_like, "logits", None, "constant", "error", id="a constant teacher"),
    ],
)
def test_altered_answers_are_found(digits, change, kind, correct, check, expected):
    good = digits.teacher(correct, "probabilities") if correct else digits.teacher()
    finding = check_bug_is_found(digits.teacher(change, kind), good, digits, check, expected)
    assert finding.sentence
    assert finding.remedy


@pytest.mark.exhaustive
def test_classes_sorted_as_texts_are_reported_with_the_order_to_declare(digits):
    """'10' sorts before '2', so columns sorted as texts are not in the order of the numbers."""
    numbered = digits.labels + 1
    by_text = tuple(sorted(range(1, 11), key=str))  # 1, 10, 2, ...
    form = AnswerForm("logits", "multiclass", by_text)
    found = preflight(CustomTeacher(digits.logits, form), digits.rows, numbered)
    assert severity(found, "class-order") == "error"
    assert next(f for f in found.findings if f.check == "class-order").figure["by confusion"] == list(range(1, 11))
    assert preflight(CustomTeacher(digits.logits, AnswerForm("logits", "multiclass", tuple(range(1, 11)))), digits.rows, numbered).ok


@pytest.mark.exhaustive
def test_a_network_left_in_train_mode_normalises_by_the_batch(digits):
    """torchdistill PR 333 (teacher.eval() removed), vrvlive/knowlege-distillation 2, unbiased-teacher 47."""
    check_bug_is_found(calling(digits.network().train()), calling(digits.network()), digits, "batch-independent", "error")


def test_the_torch_adapter_runs_a_network_in_eval_mode_and_notes_it(digits):
    """The same network through the adapter of as_teacher: a note, since its answers are right."""
    found = preflight(TorchTeacher(digits.network().train(), of_classes("logits", TEN)), digits.rows, digits.labels)
    assert severity(found, "eval-mode") == "note"
    assert severity(found, "batch-independent") == "ok"
    assert severity(preflight(TorchTeacher(digits.network(), of_classes("logits", TEN)), digits.rows), "eval-mode") == "ok"


def test_active_dropout_gives_other_answers_each_time(digits):
    """mmrazor teacher_norm_eval freezes norm layers only."""
    noisy = digits.network(dropout=0.2)
    noisy[1].train()
    check_bug_is_found(calling(noisy), calling(digits.network(dropout=0.2)), digits, "repeatable", "error")


def test_answers_summed_in_place_change_with_every_call(digits):
    """KD_Lib's ensemble: teacher_output += ... modifies the first teacher's answers."""
    stored = digits.logits(digits.rows)
    place = {name: index for index, name in enumerate(row_names(digits.rows))}

    def summed(inputs):
        rows = [place[name] for name in row_names(inputs)]
        stored[rows] += digits.logits(inputs)
        return stored[rows].copy()

    check_bug_is_found(CustomTeacher(summed, AnswerForm("logits", "multiclass", TEN)), digits.teacher(), digits, "repeatable", "error")


def test_a_teacher_that_scales_its_rows_in_place_is_found(digits):
    """The same bug on the inputs: later code would use the modified rows."""

    def scaled(inputs):
        inputs *= 0.999
        return digits.logits(inputs)

    found = preflight(CustomTeacher(scaled, AnswerForm("logits", "multiclass", TEN)), digits.rows.copy())
    assert severity(found, "rows-untouched") == "error"
    assert severity(preflight(digits.teacher(), digits.rows), "rows-untouched") == "ok"


def test_a_student_that_is_its_own_teacher(digits):
    """labmlai 66: the annotated implementation compared the teacher with itself."""
    network, student = digits.network(), digits.network()
    teacher = TorchTeacher(network, of_classes("logits", TEN))
    assert severity(preflight(teacher, digits.rows, student=network), "student") == "error"
    assert severity(preflight(teacher, digits.rows, student=student), "student") == "ok"
    student[2].weight = network[2].weight
    assert severity(preflight(teacher, digits.rows, student=student), "student") == "error"


def test_teacher_and_student_swapped(digits):
    """keras-io 257: the published example trained the big network on the answers of the small one."""
    from torch import nn

    big = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    assert severity(preflight(TorchTeacher(digits.network(), of_classes("logits", TEN)), digits.rows, student=big), "student") == "warning"
    assert severity(preflight(TorchTeacher(big, of_classes("logits", TEN)), digits.rows, student=digits.network()), "student") == "ok"


def test_answers_stored_in_one_order_and_given_to_rows_in_another(digits):
    """haitongli/knowledge-distillation-pytorch 23, 9: stored outputs were paired with a shuffled loader for a year."""
    form = AnswerForm("logits", "multiclass", TEN)
    stored, names = digits.logits(digits.rows), row_names(digits.rows)
    shuffled = np.random.default_rng(0).permutation(stored)
    finding = check_bug_is_found(SoftLabels(shuffled, form, names), SoftLabels(stored, form, names), digits, "baseline", "error")
    assert "worse by" in finding.sentence


def test_stored_answers_queried_with_other_rows(digits):
    """modern-yolonas PR 50: the answers to an image are not those to its mirror image."""
    form, names = AnswerForm("logits", "multiclass", TEN), row_names(digits.rows)
    labels = SoftLabels(digits.logits(digits.rows), form, names)
    mirrored = digits.rows.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    found = preflight(labels, mirrored, digits.labels)
    assert severity(found, "answers") == "error"
    assert "not among the 600 that these answers were recorded on" in found.findings[0].sentence
    assert preflight(labels, digits.rows[::-1], digits.labels[::-1]).ok


@pytest.mark.exhaustive
def test_one_logit_as_minus_f_and_f(digits):
    """deepbridge: [-f, f] doubles the margin, that is, halves the temperature."""
    rows, truth = digits.rows, (digits.labels >= 5).astype(int)
    score = LinearRegression().fit(digits.train, (digits.train_labels >= 5) * 1.0)

    def one_logit(inputs):
        return 6.0 * (score.predict(inputs) - 0.5)

    form = AnswerForm("logits", "binary", (0, 1))
    doubled = CustomTeacher(lambda inputs: np.column_stack([-one_logit(inputs), one_logit(inputs)]), form)
    halved = CustomTeacher(lambda inputs: np.column_stack([-one_logit(inputs), one_logit(inputs)]) / 2, form)
    single = CustomTeacher(lambda inputs: two_columns(one_logit(inputs), "logits"), form)
    assert severity(preflight(doubled, rows, truth), "doubled-margin") == "warning"
    assert severity(preflight(doubled, rows), "doubled-margin") == "warning"
    assert severity(preflight(halved, rows, truth), "doubled-margin") == "note"
    assert severity(preflight(single, rows, truth), "doubled-margin") is None


def test_a_top_k_log_without_its_rest(digits):
    """distill-anything _topk_truncate: renormalised, so that the tail is unconstrained."""

    def top_four(z):
        p = softmax(z)
        p[p < np.sort(p, axis=1)[:, [-4]]] = 0
        return p / p.sum(axis=1, keepdims=True)

    check_bug_is_found(digits.teacher(top_four, "probabilities"), digits.teacher(softmax, "probabilities"), digits, "top-k", "warning")


@pytest.mark.exhaustive
def test_softmax_over_multilabel_answers(digits):
    """haitongli 8, torchdistill 211: multilabel answers are one Bernoulli distribution per label."""
    labels = np.column_stack([digits.labels >= 5, digits.labels % 2 == 0, digits.labels > 0]).astype(int)
    groups = [[5, 6, 7, 8, 9], [0, 2, 4, 6, 8], list(range(1, 10))]
    form = AnswerForm("probabilities", "multilabel", ("big", "even", "some"))
    chances = lambda inputs: np.column_stack([digits.probabilities(inputs)[:, group].sum(axis=1) for group in groups])  # noqa: E731
    competing = CustomTeacher(lambda inputs: softmax(chances(inputs)), form)
    each = CustomTeacher(lambda inputs: np.clip(chances(inputs), 0, 1), form)
    assert severity(preflight(competing, digits.rows, labels), "declared-kind") == "error"
    assert preflight(each, digits.rows, labels).ok
    twice = CustomTeacher(lambda inputs: sigmoid(chances(inputs)), form.as_kind("logits"))
    assert severity(preflight(twice, digits.rows, labels), "declared-kind") == "error"


@pytest.mark.exhaustive
def test_a_regression_teacher_worse_than_a_baseline():
    """A teacher worse than a simple model adds only bias."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 4))
    y = X @ [3.0, -2.0, 1.0, 0.5] + 0.3 * draw.normal(size=400)
    form = AnswerForm("values", "regression")
    weak, good = (
        CustomTeacher(lambda rows: 3 * rows[:, [0]], form),
        CustomTeacher(lambda rows: (rows @ [3.0, -2.0, 1.0, 0.5])[:, None], form),
    )
    assert severity(preflight(weak, X, y), "baseline") == "error"
    assert preflight(good, X, y).ok


@pytest.mark.exhaustive
def test_a_regression_teacher_that_answers_in_another_scale():
    """Its target was standardised for training, and never scaled back."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = 100 + 20 * X.sum(axis=1)
    form = AnswerForm("values", "regression")
    assert severity(preflight(CustomTeacher(lambda rows: rows.sum(axis=1, keepdims=True), form), X, y), "scale") == "error"
    y = y + np.random.default_rng(1).normal(size=300)  # a teacher without any error could not be told from one that knows the rows
    assert preflight(CustomTeacher(lambda rows: 100 + 20 * rows.sum(axis=1, keepdims=True), form), X, y).ok


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_test_rows_in_the_transfer_set(digits):
    """RepDistiller 59, overhaul-distillation 9: selected and trained on the test set."""
    teacher = digits.teacher()
    leaking = preflight(teacher, np.vstack([digits.rows[:500], digits.rows[500:520]]), test=digits.rows[500:])
    finding = leaking.findings[0]
    assert (finding.check, finding.severity, finding.figure["shared rows"]) == ("leak", "error", 20)
    assert preflight(teacher, digits.rows[:500], test=digits.rows[500:]).ok


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_forest_queried_with_the_rows_it_was_trained_on(digits):
    """A forest answers its training rows nearly one-hot."""
    half = len(digits.train) // 2
    forest = EstimatorTeacher(RandomForestClassifier(30, random_state=0).fit(digits.train[:half], digits.train_labels[:half]))
    found = preflight(forest, digits.train[:half], test=digits.rows, train=digits.train[:half])
    assert severity(found, "own-rows") == "warning"
    assert "trained on 100% of the transfer rows" in next(f for f in found.findings if f.check == "own-rows").sentence
    assert severity(preflight(forest, digits.train[half:], test=digits.rows, train=digits.train[:half]), "own-rows") == "ok"


@pytest.mark.slow
def test_a_transfer_set_that_lacks_classes_of_the_test_set(digits):
    """A skewed transfer set biases the student's classes."""
    few = digits.rows[digits.labels < 3]
    skewed = preflight(digits.teacher(), few, test=digits.train[:500])
    assert severity(skewed, "answer-shift") == "warning"
    assert severity(skewed, "shift") == "warning"
    assert preflight(digits.teacher(), digits.rows, test=digits.train[:500]).ok
