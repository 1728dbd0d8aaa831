"""Any torch network as a student: taught by recorded or live answers, met as scikit-learn's users expect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answers import AnswerForm, label_array, of_classes
from tutelage.core.arrays import Floats, sigmoid, softmax
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput, ShapeError
from tutelage.losses.class_terms import hard_cross_entropy, soft_cross_entropy
from tutelage.losses.objective import Objective
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import is_answer_source
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.held_networks import networks_in
from tutelage.training.backend import Backend
from tutelage.training.batch_loss import BatchLoss, check_answers, hidden_layers
from tutelage.training.checkpoints import Checkpoints
from tutelage.training.feeds import Batch, Feed
from tutelage.training.loop import train
from tutelage.training.progress import progress_line
from tutelage.training.settings import TrainingSettings
from tutelage.training.sources import apart, known_as, name_of, soft_labels_of, training_data, truth_tensor
from tutelage.training.state import Fit, Report


class TorchStudent:
    """A network that is taught, and then answers alone.

    Args:
        network: maps (batch, ...) to (batch, classes) logits at temperature 1, to (batch, labels) logits for
            multilabel, or to (batch, outputs) values. Trained in place.
        objective: what it is asked to match, such as 0.9 * soft_cross_entropy(temperature=4.0) + 0.1 *
            hard_cross_entropy(). By default the teacher's probabilities, or the labels where there is no teacher.
        classes: the label of each logit, in order; learnt from the teacher or from y if not given.
        output: takes the answers out of what the network returns, where that is a tuple or a dict.

    Attributes:
        classes_: (classes,) the label of each column of `predict_proba`.
        fit_: what the training did (see `Fit`).
        projectors_: what was trained beside the network for objectives of hidden layers; no part of the student.
    """

    fit_: Fit
    projectors_: nn.ModuleDict

    def __init__(
        self,
        network: nn.Module,
        objective: Objective | None = None,
        *,
        classes: Sequence[Any] | None = None,
        output: Callable[[Any], Tensor] | None = None,
    ) -> None:
        self.network = network
        self.objective = objective
        self.output = output
        self.form: AnswerForm | None = None
        if classes is not None:
            self._learn_form(of_classes("logits", classes))

    def fit(
        self,
        X: Any,
        labels: Any = None,
        y: Any = None,
        *,
        validation: float | tuple[Any, ...] | None = None,
        device: str | torch.device | None = None,
        backend: Backend | None = None,
        checkpoints: Path | str | None = None,
        callbacks: Sequence[Callable[[Report], Any]] = (),
        advance: Callable[[], None] = lambda: None,
        progress: bool = False,
        **training: Any,
    ) -> Self:
        """Teach the network.

        Args:
            X: (rows, ...) array or tensor, `Views`, a map-style torch Dataset or a DataLoader (of inputs, or of pairs
                of inputs and label).
            labels: soft labels recorded on these rows, or a live teacher, whatever `as_teacher` takes: the training cannot tell them
                apart. A live teacher is queried once for all rows, in eval mode; if X is a Dataset, for every batch as the student
                sees it. Or an array of probabilities, (rows, classes), if the student was given its classes.
            y: the truth, where the objective reads it: (rows,) labels, (rows, labels) 0 and 1, or values.
            validation: the share of the rows that choose the epoch, drawn by the seed; or (X, y), or (X, None, labels)
                where the truth is not known. Fewest errors win; without truth, or for values, the lowest loss.
            device: where to train; where the network is, if not given.
            backend: `Accelerated(accelerator)`, for several processes or devices.
            checkpoints: a folder that keeps the training, so that after a kill the same call goes on and ends in the
                same bits.
            callbacks: called with a `Report` after each epoch; one that returns True ends the training.
            advance: called after each step, for a progress display of your own; `progress` takes its place.
            progress: show a bar on standard error, with each term of the loss by name after each epoch.
            training: epochs, batch_size, seed, optimizer and all else that `TrainingSettings` has.

        Raises:
            LabelMismatch: answers to other rows, or of other classes. ShapeError, BadInput: data, network or objective
                that do not fit each other. SelfCheckFailed: a loss is not finite; the checkpoint before it is kept.
        """
        how = TrainingSettings.of(training)
        teacher = self._teacher(X, labels)
        objective = self.objective or (hard_cross_entropy() if teacher is None else soft_cross_entropy())
        form = known_as(teacher, y, self.form, objective)
        data, chooses = apart(training_data(X, teacher, truth_tensor(y, form)), validation, form, seed=how.seed)
        self._learn_form(form)
        network, where = self._placed(device)
        feed = data.feed(where)
        first = self._first_batch(feed, how)
        objective.check(
            task=form.task, columns=len(form.classes) or 1, given=data.given(first, teacher), stacked=hasattr(network, "copies")
        )
        batch_loss = BatchLoss(
            self._called(how, backend),
            objective,
            self.output or _itself,
            data.answering(teacher, objective, where),
            None if data.truth is None else data.truth.to(where),
            precision=how.precision,
        )
        saved = None
        if checkpoints is not None:
            asked = None if teacher is None else teacher.fingerprint  # names who teaches a Dataset, whose rows are not read beforehand
            settled = {"data": f"{feed.rows} rows {name_of(data)}", "teacher": asked, "objective": objective.described(), **how.described()}
            saved = Checkpoints(Path(checkpoints), settled, every=how.checkpoint_steps)
        shows = progress and (backend is None or backend.writes_checkpoints)
        watched = progress_line(how.steps(feed.rows), how.epochs) if shows else nullcontext((advance, None))
        with (
            torch_runtime.training_state(how.seed, threads_count=how.threads, device_type=where.type),
            hidden_layers(batch_loss, network, teacher),
            watched as (step_done, epoch_done),
        ):
            self.projectors_ = batch_loss.with_modules(first, network, rows=feed.rows)
            scored = None if chooses is None else replace(chooses.validation(form, where), output=self.output or _itself)
            loop_settings = how.loop_settings(
                network,
                self.projectors_,
                rows=feed.rows,
                validation=scored,
                callbacks=[*callbacks, epoch_done] if epoch_done else callbacks,
                advance=step_done,
            )
            self.fit_ = train(network, batch_loss, feed, loop_settings, checkpoints=saved, backend=backend, projectors=self.projectors_)
        return self

    def _called(self, how: TrainingSettings, backend: Backend | None) -> nn.Module:
        """The network as a training calls it."""
        called = backend.wrapped(self.network) if backend else self.network
        return cast(nn.Module, torch.compile(called)) if how.compile else called

    def _first_batch(self, feed: Feed, how: TrainingSettings) -> Batch:
        """Two rows, after proving that the network answers them as it should."""
        with torch_runtime.seeded(how.seed):
            first = next(iter(feed.batches(1, [torch.arange(min(2, feed.rows))])))
        with torch_runtime.evaluating(self.network):
            said = self.network(first.inputs)
            check_answers((self.output or _itself)(said), cast(AnswerForm, self.form), self.output)
        return first

    def predict_proba(self, inputs: Any) -> Floats:
        """(rows, ...) -> (rows, classes) float32 probabilities at temperature 1; for multilabel of each label.

        Raises:
            BadInput: rows that are not numbers, or sparse. ShapeError: rows of another width than the network takes, or
                one logit too many or too few.
        """
        logits = self._answers(inputs)
        if self.form is not None and self.form.task == "multilabel":
            return sigmoid(logits)
        return softmax(logits)

    def predict(self, inputs: Any) -> NDArray[Any]:
        """(rows, ...) -> (rows,) labels; (rows, labels) 0 and 1 for multilabel; (rows,) or (rows, outputs) values."""
        if self.form is not None and self.form.task == "regression":
            values = self._answers(inputs)
            return values[:, 0] if values.shape[1] == 1 else values
        probabilities = self.predict_proba(inputs)
        if self.form is not None and self.form.task == "multilabel":
            return np.asarray(probabilities > 0.5, dtype=np.int64)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _answers(self, inputs: Any) -> Floats:
        rows = inputs if isinstance(inputs, Tensor) else torch.from_numpy(_numbers(inputs))
        first = next(self.network.parameters(), None)
        output = self.output or _itself
        try:
            said = torch_runtime.answers_of(self.network, rows if first is None else rows.to(first.device), output=output)
        except RuntimeError as error:
            raise ShapeError(f"the network cannot take rows of shape {tuple(rows.shape[1:])} ({str(error).splitlines()[0]}).") from error
        answers: Floats = said.float().cpu().numpy()
        if hasattr(self, "classes_") and answers.shape[1:] != self.classes_.shape:
            raise ShapeError(f"the network gives {answers.shape[1:]} logits a row; expected one for each of {len(self.classes_)} classes.")
        return answers

    def _learn_form(self, form: AnswerForm) -> None:
        self.form = form
        if form.task != "regression":
            self.classes_: NDArray[Any] = label_array(form.classes)

    def _teacher(self, X: Any, labels: Any) -> Teacher | None:
        """Who answers; a bare network answers for the student's classes.

        Raises:
            BadInput: teacher and student share a network or weights.
        """
        if labels is None:
            return None
        if not is_answer_source(labels):
            return self._given_answers(X, labels)
        bare = isinstance(labels, nn.Module)
        teacher = as_teacher(labels, classes=None if self.form is None else self.form.classes) if bare else as_teacher(labels)
        own = {id(parameter) for parameter in self.network.parameters()}
        shared = sum(id(parameter) in own for held in networks_in(teacher) for parameter in held.parameters())
        if shared:
            raise BadInput(
                f"student and teacher share {shared} of the student's {len(own)} parameter tensors, so the teacher would change as the "
                "student learns. Give the student a network of its own: copy.deepcopy(network)."
            )
        return teacher

    def _given_answers(self, X: Any, answers: Any) -> SoftLabels:
        """An array of probabilities, or of values, as soft labels of these rows.

        Raises:
            BadInput: nothing names its columns. NotProbabilities, ShapeError, LabelMismatch: it is not what it should be.
        """
        regression = self.objective is not None and all(term.tasks == ("regression",) for term in self.objective.terms)
        if self.form is None and not regression:
            raise BadInput(
                f"labels is a {type(answers).__name__} and does not name its columns; pass classes= to the student, "
                "such as TorchStudent(network, classes=[...]), or soft labels from record(). The ground truth is passed as y."
            )
        form = AnswerForm("values", "regression") if self.form is None else self.form.as_kind("probabilities")
        return soft_labels_of(X, answers, form)

    def _placed(self, device: str | torch.device | None) -> tuple[nn.Module, torch.device]:
        first = next(self.network.parameters(), None)
        if first is None:
            raise BadInput(f"this {type(self.network).__name__} has no parameters; there is nothing to teach it.")
        where = first.device if device is None else torch.device(device)
        return self.network.to(where), where


def _itself(said: Any) -> Any:
    return said


def _numbers(inputs: Any) -> NDArray[Any]:
    try:
        dtype = np.asarray(inputs).dtype
        return np.ascontiguousarray(inputs, dtype=np.int64 if dtype.kind in "iu" and dtype.itemsize == 8 else np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadInput(f"a network takes numbers, (rows, ...) of them; this {type(inputs).__name__} holds something else.") from error
