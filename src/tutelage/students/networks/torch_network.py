"""Torch networks of the user's as students with scikit-learn's API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

from tutelage.core.answers import AnswerForm, of_classes
from tutelage.core.arguments import flag
from tutelage.core.arrays import Floats, check_weights, sigmoid, softmax
from tutelage.core.errors import BadInput
from tutelage.softlabels.querying import class_probabilities, is_answer_source, refuse_classes
from tutelage.students.by_parts.blocks import refuse_parts
from tutelage.students.checked import Check, check_settings
from tutelage.students.networks.torch_estimator import TorchEstimator
from tutelage.students.networks.value_network import ValueNetwork
from tutelage.students.soft_classifier import SoftClassifier, label_targets, score_of_labels

ROWS: dict[str, Any] = {"dtype": "numeric", "allow_nd": True}
"""Rows as scikit-learn's validation is to take them: numbers of any type, in two axes or more."""


class TorchClassifier(TorchEstimator, SoftClassifier):
    """A torch network as a classifier that learns from probabilities, trained with AdamW.

    The features are not scaled: scale them first, or use a pipeline.

    Args:
        module: a function, or a class, that builds the network, from (batch, ...) rows to (batch, classes) logits. If it has arguments
            `inputs` and `outputs`, it is given the number of features (of rows of more axes their shape; of several inputs a dict of
            these by name, None where a length varies) and the number of classes. Or a network, from whose weights each `fit` starts.
            Neither it nor layers that the function did not build are changed.
        learning_rate: learning rate of AdamW.
        weight_decay: weight decay of AdamW.
        epochs: number of passes over the rows.
        batch_size: rows per step.
        validation_fraction: share of the rows held out to choose the epoch whose weights are used; 0 uses the last epoch.
        patience: stop after this many epochs without a better score on those rows; None never stops early.
        multilabel: whether a matrix of targets is the probability that each label is on, and the network answers one logit a label.
        random_state: seed of the initial weights that a function draws, of the shuffling and of the held-out rows.
        arguments: the other arguments of the function, by name. They are settings like the others: `set_params`, `clone` and searches
            know them.

    Attributes:
        network_: the trained network, a torch Module.
        best_epoch_: the epoch, counted from 1, whose weights are used.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.ensemble import RandomForestClassifier
        >>> from torch import nn
        >>> def network(inputs, outputs, width=8):
        ...     return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs))
        >>> X, y = load_iris(return_X_y=True)
        >>> soft_targets = RandomForestClassifier(10, random_state=0).fit(X, y).predict_proba(X)
        >>> student = tl.TorchClassifier(network, width=16, learning_rate=0.02, epochs=30, random_state=0).fit(X, soft_targets)
        >>> student.predict(X[[0, 75, 149]]).tolist()
        [0, 1, 2]
        >>> student.network_[0]
        Linear(in_features=4, out_features=16, bias=True)
    """

    _settings: ClassVar[Mapping[str, Check]] = {**TorchEstimator._settings, "multilabel": flag}
    _inputs: ClassVar[dict[str, Any]] = ROWS

    def __init__(
        self,
        module: Any,
        *,
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        epochs: int = 20,
        batch_size: int = 128,
        validation_fraction: float = 0.0,
        patience: int | None = None,
        multilabel: bool = False,
        random_state: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(
            module,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            epochs=epochs,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            patience=patience,
            random_state=random_state,
            **arguments,
        )
        self.multilabel = multilabel

    def fit(self, X: Any, y: Any = None, *, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from labels or from soft targets.

        Args:
            X: (rows, features), or (rows, ...) or a mapping of several inputs where the network takes them.
            y: labels or soft targets, as for the other students; with `multilabel` (rows, labels) probabilities that each label is on, or
                0 and 1.
            classes: as for the other students.
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            BadInput: a network that cannot be built or trained; and all that `SoftClassifier.fit` raises. MissingExtra: torch is not
                installed. SelfCheckFailed: training diverges.
        """
        if not flag("multilabel", self.multilabel):
            return super().fit(X, y, classes=classes, sample_weight=sample_weight)
        check_settings(self, self._settings)
        refuse_parts(X, self)
        if is_answer_source(y):
            refuse_classes(classes)
            y, classes = class_probabilities(y, X, task="labels")
        X = self._checked(X, reset=True)
        self.classes_, targets = label_targets(y, _num_samples(X), classes)
        self._learn(X, targets, check_weights(sample_weight, _num_samples(X)))
        return self

    def _checked(self, X: Any, *, reset: bool) -> Any:
        several = self._several(X, reset=reset)
        return super()._checked(X, reset=reset) if several is None else several

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """The share of rows that are decided as y says; with `multilabel` of rows whose labels all are, above 0.5 on."""
        return score_of_labels(self, X, y, sample_weight) if self.multilabel else super().score(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """(rows, ...) -> (rows,) labels, the first of equally likely ones; with `multilabel` (rows, labels) of 0 and 1."""
        return np.asarray(self.predict_proba(X) > 0.5, dtype=np.int64) if self.multilabel else super().predict(X)

    @property
    def answer_form(self) -> AnswerForm:
        """What the network answers: logits of classes, or of labels."""
        classes = self.classes_.tolist()
        return AnswerForm("logits", "multilabel", tuple(classes)) if self.multilabel else of_classes("logits", classes)

    def _learn(self, X: Any, targets: Floats, weights: Floats | None) -> None:
        objective = None
        if self.multilabel:
            from tutelage.losses.value_terms import soft_bernoulli

            objective = soft_bernoulli()
        self._train(X, targets, weights, self.answer_form, objective)

    def _probabilities(self, X: Any) -> Floats:
        logits = self._outputs(X, self.answer_form)
        return sigmoid(logits) if self.multilabel else softmax(logits)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.classifier_tags.multi_label = tags.target_tags.multi_output = bool(self.multilabel)
        return tags


class TorchRegressor(ValueNetwork, TorchEstimator):
    """A torch network for one or several values, trained on squared errors with AdamW. The values are standardised for training.

    Args:
        module: as for `TorchClassifier`; the network answers (batch, outputs) values, of mean 0 and standard deviation 1 in training.
        learning_rate, weight_decay, epochs, batch_size, validation_fraction, patience, random_state, arguments: as for `TorchClassifier`.

    Attributes:
        network_, best_epoch_: as of `TorchClassifier`.
        mean_, scale_: (outputs,) the values are the network's answers times `scale_` plus `mean_`.
        one_output_: whether `fit` was given (rows,) values.

    Example:
        >>> import numpy as np
        >>> import tutelage as tl
        >>> from torch import nn
        >>> def network(inputs, outputs):
        ...     return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> student = tl.TorchRegressor(network, epochs=100, learning_rate=0.03, random_state=0).fit(X, 100 * np.abs(X[:, 0]))
        >>> student.predict([[-0.5], [0.5]]).round(-1).tolist()
        [50.0, 50.0]
    """

    mean_: Floats
    scale_: Floats
    _inputs: ClassVar[dict[str, Any]] = ROWS

    def fit(self, X: Any, y: Any, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from values.

        Args:
            X: (rows, features), or (rows, ...) or a mapping of several inputs where the network takes them.
            y: (rows,) or (rows, outputs) values.
            sample_weight: (rows,) how much each row counts; all alike if not given.

        Raises:
            BadInput: a network that cannot be built or trained; rows or values that scikit-learn's validation refuses.
                MissingExtra: torch is not installed. SelfCheckFailed: training diverges.
        """
        check_settings(self, self._settings)
        X, values = self._checked_to_fit(X, y)
        weights = check_weights(sample_weight, len(values))
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            self.mean_ = np.average(values, axis=0, weights=weights)
            deviation = np.sqrt(np.average((values - self.mean_) ** 2, axis=0, weights=weights))
        if not np.isfinite(deviation).all():
            raise BadInput("y holds numbers whose squares overflow, so it cannot be standardised; scale the values first.")
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        from tutelage.losses.value_terms import squared_error

        self._train(X, (values - self.mean_) / self.scale_, weights, None, squared_error())
        return self

    def _checked_to_fit(self, X: Any, y: Any) -> tuple[Any, Floats]:
        several = self._several(X, reset=True)
        return super()._checked_to_fit(X, y) if several is None else (several, self._checked_values(y, len(several)))

    def _checked(self, X: Any) -> Any:
        several = self._several(X, reset=False)
        return super()._checked(X) if several is None else several

    def _values(self, X: Any) -> Floats:
        return self._outputs(X, None) * self.scale_ + self.mean_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
