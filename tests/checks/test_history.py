"""Every bug of the field's history that can be seen from outside a teacher: planted, found; its clean twin, passed.

Not here, for they lie in a loss or a loop and not in the teacher or the data: the missing T^2, KLDivLoss reductions and
argument order (E2.1 to E2.3), NCKD of two classes (E2.9), students left in eval mode, folds never re-initialised.
"""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sound_teachers import Said, asking, severity

from tutelage.checks.preflight import preflight
from tutelage.core.answers import AnswerForm, of_classes, two_columns
from tutelage.core.arrays import sigmoid, softmax
from tutelage.data.row_names import row_names
from tutelage.softlabels.labels import SoftLabels
from tutelage.teachers.adapters.estimator import EstimatorTeacher
from tutelage.teachers.adapters.torch_module import TorchTeacher

TEN = tuple(range(10))


def check_found_and_twin_passes(bad, good, digits, check, expected, **options):
    """The planted bug is found by its check with its severity, and its clean twin has nothing above a note."""
    found = preflight(bad, digits.rows, digits.labels, **options)
    assert severity(found, check) == expected, str(found)
    twin = preflight(good, digits.rows, digits.labels, **options)
    assert severity(twin, check) in ("ok", "note", None)
    assert twin.ok, str(twin)
    return next(finding for finding in found.findings if finding.check == check)


@pytest.mark.parametrize(
    ("change", "kind", "twin", "check", "expected"),
    [
        pytest.param(softmax, "logits", None, "declared-kind", "error", id="origin notebook 2: softmax outputs declared as logits (E2.7)"),
        pytest.param(
            lambda z: softmax(softmax(z)), "probabilities", softmax, "double-softmax", "error", id="origin notebook 2: double softmax (0.1)"
        ),
        pytest.param(
            lambda z: z, "probabilities", softmax, "answers", "error", id="keras.distillation: logits to from_logits=False (E2.7)"
        ),
        pytest.param(
            lambda z: np.log(softmax(z)), "probabilities", softmax, "answers", "error", id="KD_Lib: log-probabilities as a target (E2.3)"
        ),
        pytest.param(lambda z: 3.5 * z, "logits", None, "calibration", "warning", id="origin bug 2: trained through T=3.5 (0.2, E2.6)"),
        pytest.param(lambda z: np.maximum(z, 0), "logits", None, "relu-logits", "warning", id="origin notebook 1: Dense(relu) (E2.8)"),
        pytest.param(
            lambda z: np.maximum(z, 0), "probabilities", softmax, "answers", "error", id="origin README: ReLU outputs as probabilities"
        ),
        pytest.param(
            lambda z: np.eye(10)[z.argmax(1)], "probabilities", softmax, "saturated", "warning", id="mixle PR 96: argmax for soft labels"
        ),
        pytest.param(
            lambda z: np.maximum(np.eye(10)[z.argmax(1)], 1e-7), "probabilities", softmax, "clipped", "warning", id="E2.4: clipped one-hots"
        ),
        pytest.param(lambda z: np.round(softmax(z), 4), "probabilities", softmax, "rounded", "warning", id="E2.5: logged with 4 decimals"),
        pytest.param(
            lambda z: softmax(z).astype(np.float16), "probabilities", softmax, "rounded", "warning", id="E2.5: logged in half precision"
        ),
        pytest.param(
            lambda z: 0.9 * np.eye(10)[z.argmax(1)] + 0.01, "probabilities", softmax, "dark-knowledge", "warning", id="E3.20: smoothed"
        ),
        pytest.param(lambda z: z[:, :9], "logits", None, "answers", "error", id="trl 4562, 2215: truncated columns (B16)"),
        pytest.param(lambda z: np.roll(z, 1, axis=1), "logits", None, "class-order", "error", id="E3.24: columns in another order"),
        pytest.param(lambda z: z - 60 * np.eye(10)[4], "logits", None, "dead-class", "warning", id="E2.8: a class never answered"),
        pytest.param(np.zeros_like, "logits", None, "constant", "error", id="0.3: a teacher that says nothing"),
    ],
)
def test_what_was_done_to_the_numbers_is_found(digits, change, kind, twin, check, expected):
    good = digits.teacher(twin, "probabilities") if twin else digits.teacher()
    finding = check_found_and_twin_passes(digits.teacher(change, kind), good, digits, check, expected)
    assert finding.sentence
    assert finding.remedy


def test_classes_sorted_as_texts_are_named_in_the_order_to_declare(digits):
    """B16, E3.24: '10' sorts before '2', so the columns of texts are not those of numbers."""
    numbered = digits.labels + 1
    by_text = tuple(sorted(range(1, 11), key=str))  # 1, 10, 2, ...
    form = AnswerForm("logits", "multiclass", by_text)
    found = preflight(Said(digits.logits, form), digits.rows, numbered)
    assert severity(found, "class-order") == "error"
    assert next(f for f in found.findings if f.check == "class-order").figure["by confusion"] == list(range(1, 11))
    assert preflight(Said(digits.logits, AnswerForm("logits", "multiclass", tuple(range(1, 11)))), digits.rows, numbered).ok


def test_a_network_left_in_train_mode_normalises_by_the_batch(digits):
    """torchdistill PR 333 (teacher.eval() removed), vrvlive/knowlege-distillation 2, unbiased-teacher 47."""
    check_found_and_twin_passes(asking(digits.network().train()), asking(digits.network()), digits, "batch-independent", "error")


def test_our_adapter_puts_a_network_in_eval_mode_and_says_so(digits):
    """The same network through as_teacher's adapter: a note, for its answers are right."""
    found = preflight(TorchTeacher(digits.network().train(), of_classes("logits", TEN)), digits.rows, digits.labels)
    assert severity(found, "eval-mode") == "note"
    assert severity(found, "batch-independent") == "ok"
    assert severity(preflight(TorchTeacher(digits.network(), of_classes("logits", TEN)), digits.rows), "eval-mode") == "ok"


def test_dropout_left_on_answers_otherwise_each_time(digits):
    """mmrazor teacher_norm_eval freezes norm layers only (E3.13)."""
    noisy = digits.network(dropout=0.2)
    noisy[1].train()
    check_found_and_twin_passes(asking(noisy), asking(digits.network(dropout=0.2)), digits, "repeatable", "error")


def test_answers_summed_in_place_change_with_every_call(digits):
    """KD_Lib's ensemble: teacher_output += ... writes into the first teacher's answers (E2.10)."""
    kept = digits.logits(digits.rows)
    place = {name: index for index, name in enumerate(row_names(digits.rows))}

    def summed(inputs):
        rows = [place[name] for name in row_names(inputs)]
        kept[rows] += digits.logits(inputs)
        return kept[rows].copy()

    check_found_and_twin_passes(Said(summed, AnswerForm("logits", "multiclass", TEN)), digits.teacher(), digits, "repeatable", "error")


def test_a_teacher_that_scales_its_rows_in_place_is_found(digits):
    """The same bug on the side of the inputs: whoever trains next sees other rows."""

    def scaled(inputs):
        inputs *= 0.999
        return digits.logits(inputs)

    found = preflight(Said(scaled, AnswerForm("logits", "multiclass", TEN)), digits.rows.copy())
    assert severity(found, "rows-untouched") == "error"
    assert severity(preflight(digits.teacher(), digits.rows), "rows-untouched") == "ok"


def test_the_student_that_is_its_own_teacher(digits):
    """labmlai 66: the annotated implementation compared the teacher to itself."""
    network, own = digits.network(), digits.network()
    teacher = TorchTeacher(network, of_classes("logits", TEN))
    assert severity(preflight(teacher, digits.rows, student=network), "student") == "error"
    assert severity(preflight(teacher, digits.rows, student=own), "student") == "ok"
    own[2].weight = network[2].weight
    assert severity(preflight(teacher, digits.rows, student=own), "student") == "error"


def test_teacher_and_student_swapped(digits):
    """keras-io 257: the published example taught the big network by the small one."""
    from torch import nn

    big = nn.Sequential(nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 10))
    assert severity(preflight(TorchTeacher(digits.network(), of_classes("logits", TEN)), digits.rows, student=big), "student") == "warning"
    assert severity(preflight(TorchTeacher(big, of_classes("logits", TEN)), digits.rows, student=digits.network()), "student") == "ok"


def test_answers_stored_in_one_order_and_given_to_rows_in_another(digits):
    """haitongli/knowledge-distillation-pytorch 23, 9: stored outputs met a shuffled loader for a year (B1)."""
    form = AnswerForm("logits", "multiclass", TEN)
    stored, names = digits.logits(digits.rows), row_names(digits.rows)
    shuffled = np.random.default_rng(0).permutation(stored)
    finding = check_found_and_twin_passes(SoftLabels(shuffled, form, names), SoftLabels(stored, form, names), digits, "baseline", "error")
    assert "worse by" in finding.sentence


def test_stored_answers_asked_about_other_rows(digits):
    """B1, modern-yolonas PR 50: answers of a picture are not those of its mirror image."""
    form, names = AnswerForm("logits", "multiclass", TEN), row_names(digits.rows)
    labels = SoftLabels(digits.logits(digits.rows), form, names)
    mirrored = digits.rows.reshape(-1, 8, 8)[:, :, ::-1].reshape(-1, 64)
    found = preflight(labels, mirrored, digits.labels)
    assert severity(found, "answers") == "error"
    assert "not among the 600 that these answers were recorded on" in found.findings[0].sentence
    assert preflight(labels, digits.rows[::-1], digits.labels[::-1]).ok


def test_one_logit_as_minus_f_and_f(digits):
    """deepbridge: [-f, f] doubles the margin, which halves the temperature (E2.5)."""
    rows, truth = digits.rows, (digits.labels >= 5).astype(int)
    score = LinearRegression().fit(digits.train, (digits.train_labels >= 5) * 1.0)

    def one_logit(inputs):
        return 6.0 * (score.predict(inputs) - 0.5)

    form = AnswerForm("logits", "binary", (0, 1))
    doubled = Said(lambda inputs: np.column_stack([-one_logit(inputs), one_logit(inputs)]), form)
    halved = Said(lambda inputs: np.column_stack([-one_logit(inputs), one_logit(inputs)]) / 2, form)
    single = Said(lambda inputs: two_columns(one_logit(inputs), "logits"), form)
    assert severity(preflight(doubled, rows, truth), "doubled-margin") == "warning"
    assert severity(preflight(doubled, rows), "doubled-margin") == "warning"
    assert severity(preflight(halved, rows, truth), "doubled-margin") == "note"
    assert severity(preflight(single, rows, truth), "doubled-margin") is None


def test_a_top_k_log_without_its_rest(digits):
    """distill-anything _topk_truncate: renormalised, so that the tail is unconstrained (E2.11)."""

    def top_four(z):
        p = softmax(z)
        p[p < np.sort(p, axis=1)[:, [-4]]] = 0
        return p / p.sum(axis=1, keepdims=True)

    check_found_and_twin_passes(
        digits.teacher(top_four, "probabilities"), digits.teacher(softmax, "probabilities"), digits, "top-k", "warning"
    )


def test_softmax_over_labels_that_do_not_exclude_each_other(digits):
    """E2.12, haitongli 8, torchdistill 211: multilabel is a Bernoulli a label."""
    labels = np.column_stack([digits.labels >= 5, digits.labels % 2 == 0, digits.labels > 0]).astype(int)
    groups = [[5, 6, 7, 8, 9], [0, 2, 4, 6, 8], list(range(1, 10))]
    form = AnswerForm("probabilities", "multilabel", ("big", "even", "some"))
    chances = lambda inputs: np.column_stack([digits.probabilities(inputs)[:, group].sum(axis=1) for group in groups])  # noqa: E731
    competing = Said(lambda inputs: softmax(chances(inputs)), form)
    each = Said(lambda inputs: np.clip(chances(inputs), 0, 1), form)
    assert severity(preflight(competing, digits.rows, labels), "declared-kind") == "error"
    assert preflight(each, digits.rows, labels).ok
    twice = Said(lambda inputs: sigmoid(chances(inputs)), form.as_kind("logits"))
    assert severity(preflight(twice, digits.rows, labels), "declared-kind") == "error"


def test_a_regression_teacher_worse_than_the_labels():
    """E2.12, B17: a teacher worse than a plain model adds bias and nothing else."""
    draw = np.random.default_rng(0)
    X = draw.normal(size=(400, 4))
    y = X @ [3.0, -2.0, 1.0, 0.5] + 0.3 * draw.normal(size=400)
    form = AnswerForm("values", "regression")
    weak, good = Said(lambda rows: 3 * rows[:, [0]], form), Said(lambda rows: (rows @ [3.0, -2.0, 1.0, 0.5])[:, None], form)
    assert severity(preflight(weak, X, y), "baseline") == "error"
    assert preflight(good, X, y).ok


def test_a_regression_teacher_that_answers_in_another_scale():
    """Its target was standardised for training, and never scaled back."""
    X = np.random.default_rng(0).normal(size=(300, 2))
    y = 100 + 20 * X[:, 0]
    form = AnswerForm("values", "regression")
    assert severity(preflight(Said(lambda rows: rows[:, :1], form), X, y), "scale") == "error"
    assert preflight(Said(lambda rows: 100 + 20 * rows[:, :1], form), X, y).ok


def test_the_test_rows_in_the_transfer_set(digits):
    """RepDistiller 59, overhaul-distillation 9: chosen and taught on the test set (B5)."""
    teacher = digits.teacher()
    leaking = preflight(teacher, np.vstack([digits.rows[:500], digits.rows[500:520]]), test=digits.rows[500:])
    finding = leaking.findings[0]
    assert (finding.check, finding.severity, finding.figure["shared rows"]) == ("leak", "error", 20)
    assert preflight(teacher, digits.rows[:500], test=digits.rows[500:]).ok


def test_a_forest_asked_about_the_rows_it_was_trained_on(digits):
    """E3.16: forests answer their own rows nearly one-hot; no surveyed tool offers out-of-fold answers."""
    half = len(digits.train) // 2
    forest = EstimatorTeacher(RandomForestClassifier(30, random_state=0).fit(digits.train[:half], digits.train_labels[:half]))
    own = preflight(forest, digits.train[:half], test=digits.rows, train=digits.train[:half])
    assert severity(own, "own-rows") == "warning"
    assert "trained on 100% of the transfer rows" in next(f for f in own.findings if f.check == "own-rows").sentence
    assert severity(preflight(forest, digits.train[half:], test=digits.rows, train=digits.train[:half]), "own-rows") == "ok"


def test_a_transfer_set_that_lacks_what_the_test_set_has(digits):
    """E3.21: a skewed transfer set biases the student's classes."""
    few = digits.rows[digits.labels < 3]
    skewed = preflight(digits.teacher(), few, test=digits.train[:500])
    assert severity(skewed, "answer-shift") == "warning"
    assert severity(skewed, "shift") == "warning"
    assert preflight(digits.teacher(), digits.rows, test=digits.train[:500]).ok
