"""A sound teacher of digits, and functions that alter its answers: the tests plant bugs with them."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from tutelage.checks.findings import SEVERITIES
from tutelage.core.answers import AnswerForm
from tutelage.core.arrays import softmax

SHARP = 2.1
"""The strongly regularised model below is underconfident by this temperature."""


@dataclass(frozen=True)
class CustomTeacher:
    """A user-defined teacher that calls a function of the rows."""

    function: object
    form: AnswerForm
    fingerprint: str = "custom"

    def answer(self, inputs):
        return self.function(inputs)


@dataclass(frozen=True)
class Digits:
    """Digits split in two, and a sound teacher's logits for any of their rows."""

    train: np.ndarray
    train_labels: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    model: object

    def logits(self, inputs):
        return self.model.decision_function(np.asarray(inputs)) * SHARP

    def probabilities(self, inputs):
        return softmax(self.logits(inputs))

    def teacher(self, change=lambda logits: logits, kind="logits"):
        """A teacher of ten digits that answers `change(logits)`."""
        return CustomTeacher(lambda inputs: change(self.logits(inputs)), AnswerForm(kind, "multiclass", tuple(range(10))))

    def network(self, dropout=0.0):
        """A torch network in eval mode with the same logits; the scaling is a batch norm layer."""
        scaler, linear = self.model
        norm, last = nn.BatchNorm1d(64, affine=False), nn.Linear(64, 10)
        with torch.no_grad():
            norm.running_mean.copy_(torch.tensor(scaler.mean_))
            norm.running_var.copy_(torch.tensor(np.maximum(scaler.var_, 1e-3)))
            last.weight.copy_(torch.tensor(linear.coef_ * SHARP))
            last.bias.copy_(torch.tensor(linear.intercept_ * SHARP))
        return nn.Sequential(norm, nn.Dropout(dropout), last).eval()


def calling(network):
    """A teacher that calls a network in its current mode, as most hand-written wrappers do."""

    def call(inputs):
        with torch.no_grad():
            return network(torch.as_tensor(inputs, dtype=torch.float32)).numpy()

    return CustomTeacher(call, AnswerForm("logits", "multiclass", tuple(range(10))))


def severity(found, check):
    """The highest severity among the findings of a check; None if there are none."""
    return max((finding.severity for finding in found.findings if finding.check == check), key=SEVERITIES.index, default=None)


def load_digits_with_teacher():
    """Load the digits, and fit the teacher on two thirds of them."""
    X, y = load_digits(return_X_y=True)
    train, rows, train_labels, labels = train_test_split(X, y, test_size=600, random_state=0, stratify=y)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05, max_iter=500)).fit(train, train_labels)
    return Digits(train, train_labels, rows, labels, model)
