"""compare: two students on the same test rows, as a paired difference with its interval and verdict."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answer_values.top_answers import TopAnswers
from tutelage.core.arguments import choice
from tutelage.core.errors import BadInput, LabelMismatch, shown
from tutelage.core.records import Comparison
from tutelage.evaluation.evaluate import evaluate
from tutelage.evaluation.evaluation import Evaluation
from tutelage.evaluation.records import AlignedAnswers
from tutelage.evaluation.scoring.notes import on_units
from tutelage.evaluation.scoring.row_scores import Settings, Target, row_scores
from tutelage.evaluation.verdicts import pair_verdict, paired_rows

LOWER_IS_BETTER = ("kl_nats", "nll_nats", "brier", "mse")


def compare(
    a: Any,
    b: Any,
    X: Any = None,
    y: Any = None,
    *,
    teacher: Any = None,
    metric: str | None = None,
    against: Literal["truth", "teacher"] | None = None,
) -> Comparison:
    """Compare two students, trained once each, on the same test rows: whether these two models differ.

    The rows are paired, which removes the variation that both students share. The interval is over test rows only: the
    verdict is "differ" (the sign of the difference says which is better) or "no difference". It cannot be "beats", because
    a model of the same recipe with another seed may differ as much: in simulations with 10 000 rows, up to 89 % of pairs that
    had nothing but their seeds apart did ("Reading a verdict" in the documentation). To find out whether one way of training
    beats another, train several seeds of each and use `paired_difference`. No interval covers another teacher.

    Args:
        a: a student, as for `evaluate`; or an Evaluation with its row-by-row answers.
        b: another student; or an Evaluation on the same rows with the same ground truth (or teacher).
        X: test rows, for students.
        y: the ground truth of the rows, for students; None if it is not known.
        teacher: as for `evaluate`, for students; required if y is not known.
        metric: a figure that is a mean over rows: "accuracy" (the default against the truth), "agreement" (the default
            against the teacher), "subset_accuracy", "subset_agreement", "kl_nats", "nll_nats", "brier", or "mse" for
            regression; with positions, over which the means are then taken, also "exact_match" and "exact_agreement". "perplexity"
            of tokens compares its logarithm, "nll_nats".
        against: "truth" (the default if it is known) or "teacher".

    Returns:
        The difference a - b with its interval and verdict, "differ" or "no difference"; print it for one line.

    Raises:
        LabelMismatch: the evaluations differ in rows, classes, truth or teacher. BadInput: an unknown metric, an evaluation
            read from JSON, students without rows, or evaluations with rows.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> large, small = (DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X[::2], y[::2]) for leaves in (4, 2))
        >>> comparison = tl.compare(large, small, X[1::2], y[1::2])
        >>> print(f"{comparison.difference:.3f}", comparison.verdict)
        0.293 differ
    """
    if against is not None:
        choice("against", against, ("truth", "teacher"))
    a, b = _evaluations(a, b, X, y, teacher)
    first = a.row_answers()
    second = b.row_answers().in_order_of(first.classes)
    if a.rows_fingerprint != b.rows_fingerprint:
        raise LabelMismatch(
            f"the evaluations are on different rows ({a.rows} rows {a.rows_fingerprint[:8]}, {b.rows} rows {b.rows_fingerprint[:8]}); "
            "evaluate both students on the same rows in the same order."
        )
    target: Target = against or ("truth" if first.truth is not None and second.truth is not None else "teacher")
    _check_same_target(first, second, target)
    settings = Settings(floor=a.settings["floor"])
    of_a, of_b = (row_scores(answers, target, settings) for answers in (first, second))
    name = next(iter(of_a)) if metric is None else metric
    if name == "perplexity" and target == "truth" and first.positions == "tokens":
        name = "nll_nats"  # its logarithm
    if not isinstance(name, str) or name not in of_a:
        raise BadInput(f"metric is {shown(name)}; against the {target} expected one of {', '.join(of_a)}.")
    largest = settings.largest(name)
    difference, interval = paired_rows(of_a[name].values, of_b[name].values, weights=of_a[name].weights, largest=largest)
    return Comparison(
        a=a.student,
        b=b.student,
        metric=name,
        difference=difference,
        ci95=(interval.low, interval.high),
        verdict=pair_verdict(difference, interval),
        question=(
            f"Do these two models, {a.student} and {b.student}, differ in {name} against the {target}, on the same {a.rows} test rows? "
            f"({'Lower' if name in LOWER_IS_BETTER else 'Higher'} is better; another seed of either may give another answer.)"
        ),
        over=interval.over,
        caution=" ".join(filter(None, [interval.caution, on_units(first, target) if name == "mse" else ""])),
    )


def _evaluations(a: Any, b: Any, X: Any, y: Any, teacher: Any) -> tuple[Evaluation, Evaluation]:
    """The two evaluations given, or those of two students on the same rows."""
    evaluated = [isinstance(each, Evaluation) for each in (a, b)]
    if all(evaluated):
        if X is not None or y is not None or teacher is not None:
            raise BadInput("two evaluations contain their rows and answers; leave X, y and teacher out.")
        return a, b
    if any(evaluated):
        raise BadInput("compare takes two evaluations, or two students with X and y; this is one of each.")
    if X is None:
        raise BadInput("two students are compared on rows: pass X and y, compare(a, b, X, y).")
    names = [type(each).__name__ for each in (a, b)]
    if names[0] == names[1]:
        names = [f"{names[0]} (first)", f"{names[1]} (second)"]
    first, second = (evaluate(each, teacher, X, y, name=name, budget_seconds=None) for each, name in zip((a, b), names, strict=True))
    return first, second


def _check_same_target(first: AlignedAnswers, second: AlignedAnswers, against: str) -> None:
    if (first.task, first.classes) != (second.task, second.classes):
        raise LabelMismatch(
            f"the evaluations have different tasks or classes: {first.task} {list_classes(first.classes)} and {second.task} "
            f"{list_classes(second.classes)}; compare students of the same task and classes."
        )
    if not _same(first.weights, second.weights):
        raise LabelMismatch("the evaluations have different sample weights; evaluate both students with the same sample_weight.")
    if (first.positions, len(first.student)) != (second.positions, len(second.student)) or not _same(first.row_of, second.row_of):
        raise LabelMismatch(
            f"the evaluations count different positions: {len(first.student):,} {first.positions or 'rows'} and {len(second.student):,} "
            f"{second.positions or 'rows'}; evaluate both students with the same ground truth."
        )
    if not _same(first.named(against), second.named(against)):
        raise LabelMismatch(f"the evaluations have different answers of the {against}; evaluate both students against the same {against}.")


def _same(a: Any, b: Any) -> bool:
    """Whether both are None, or equal answers."""
    if isinstance(a, TopAnswers) and isinstance(b, TopAnswers):
        return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("ids", "log_probs", "rest"))
    if isinstance(a, TopAnswers) or isinstance(b, TopAnswers):
        return False
    return a is b if a is None or b is None else np.array_equal(a, b)
