"""Any torch network as a student: trained on recorded or live answers, with the interface of a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from torch import Tensor, nn

from tutelage.core import torch_runtime
from tutelage.core.answer_kinds import AnswerKind, Positions
from tutelage.core.answer_values.class_names import list_classes
from tutelage.core.answers import AnswerForm, label_array, of_classes
from tutelage.core.arguments import choice, whole
from tutelage.core.arrays import Floats, sigmoid, softmax
from tutelage.core.contracts import Teacher
from tutelage.core.errors import BadInput
from tutelage.core.position_answers import PositionAnswers
from tutelage.data.structures.network_answers import answers_in
from tutelage.data.structures.ragged import Ragged
from tutelage.data.torch_data.loader_rows import is_read_by_items
from tutelage.losses.objective import Objective
from tutelage.softlabels.labels import SoftLabels
from tutelage.softlabels.querying import is_answer_source
from tutelage.softlabels.streaming.parts import Parts
from tutelage.teachers.adapt import as_teacher
from tutelage.teachers.held_networks import networks_in
from tutelage.training.arguments import check_fit, check_shared, check_student, default_objective, network_teacher, parts_to_learn, placed
from tutelage.training.backend import Backend
from tutelage.training.batch_loss import BatchLoss, called, check_answers, hidden_layers
from tutelage.training.checkpoints import Checkpoints
from tutelage.training.feeding.feeds import Batch, Feed
from tutelage.training.feeding.loader_feed import ItemList, LoaderFeed
from tutelage.training.feeding.parts_feed import PartsFeed
from tutelage.training.feeding.row_answers import soft_labels_of
from tutelage.training.feeding.sources import TrainingData, form_to_learn, training_data
from tutelage.training.feeding.truth import truth_of
from tutelage.training.feeding.validation_rows import split_validation
from tutelage.training.identity import initial_weights, training_identity
from tutelage.training.loop import train
from tutelage.training.outputs import check_known, network_outputs
from tutelage.training.settings import TrainingSettings
from tutelage.training.stacked_network import copies_of
from tutelage.training.state import Fit, Report
from tutelage.training.validation import Validation
from tutelage.training.watching.progress import progress_line


class TorchStudent:
    """A torch network as a student.

    Args:
        network: maps (batch, ...) to (batch, classes) logits at temperature 1, to (batch, labels) logits for
            multilabel, or to (batch, outputs) values. Trained in place.
        objective: the loss, such as 0.9 * soft_cross_entropy(temperature=4.0) + 0.1 * hard_cross_entropy(). By default
            soft_cross_entropy(), for multilabel soft_bernoulli(), for values squared_error(); without a teacher hard_cross_entropy(),
            hard_bernoulli() for a matrix of 0 and 1, squared_error(against="labels") for fractions.
        classes: the class name of each logit, in order; by default those of the teacher, or of y.
        output: extracts the answers from what the network returns, if that is a tuple or a dict; its `logits` are found without.
        positions: "tokens" or "pixels", for a network with an answer for each token, (batch, tokens, classes), or for each pixel,
            (batch, classes, height, width), that learns without a teacher, beside its classes; else those of the teacher.
        predict_batch_size: rows that the network answers at once, in `predict` and for validation; if None, up to 1,000, and of rows of
            tokens as many as have 32,768 of them.

    Attributes:
        classes_: (classes,) the class name of each column of `predict_proba`.
        fit_: the history of the training (see `Fit`).
        projectors_: modules that were trained with the network for objectives of hidden layers; not part of the student.
        biases_: (classes,) what `match_teacher_marginals` added to the biases of the last layer, if it did.

    Raises:
        LabelMismatch: classes that are not at least two different names. BadInput: no network, or an argument of another kind; positions
            without classes.

    Example:
        >>> import tutelage as tl
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> X, y = load_iris(return_X_y=True)
        >>> teacher = LogisticRegression(max_iter=1000).fit(X, y)
        >>> objective = 0.9 * tl.losses.soft_cross_entropy(temperature=2.0) + 0.1 * tl.losses.hard_cross_entropy()
        >>> student = tl.TorchStudent(tl.training.mlp((4, 8, 3)), objective).fit(X, teacher, y, epochs=3, validation=0.2)
        >>> student.predict_proba(X).shape, student.classes_.tolist(), len(student.fit_.losses)
        ((150, 3), [0, 1, 2], 3)
    """

    fit_: Fit
    projectors_: nn.ModuleDict
    biases_: Floats

    def __init__(
        self,
        network: nn.Module,
        objective: Objective | None = None,
        *,
        classes: Sequence[Any] | None = None,
        output: Callable[[Any], Tensor] | None = None,
        positions: Positions | None = None,
        predict_batch_size: int | None = None,
    ) -> None:
        check_student(network, objective, output, classes=classes, positions=positions)
        self.predict_batch_size = None if predict_batch_size is None else whole("predict_batch_size", predict_batch_size, 1)
        self.network = network
        self.objective = objective
        self.output = output
        self.form: AnswerForm | None = None
        self.positions = positions
        if classes is not None:
            self.set_form(replace(of_classes("logits", classes), positions=positions))

    def fit(
        self,
        X: Any,
        labels: Any = None,
        y: Any = None,
        *,
        kind: AnswerKind | None = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        validation: float | tuple[Any, ...] | None = None,
        device: str | torch.device | None = None,
        backend: Backend | None = None,
        checkpoints: Path | str | None = None,
        callbacks: Sequence[Callable[[Report], Any]] = (),
        advance: Callable[[], None] = lambda: None,
        progress: bool = False,
        **training: Any,
    ) -> Self:
        """Train the network.

        Args:
            X: (rows, ...) array or tensor, several inputs as a mapping or a tuple (see `StructuredRows`), `Views`, a map-style torch
                Dataset or a DataLoader (of inputs, or of pairs of inputs and ground truth), or an IterableDataset, which is read once,
                into memory. Where answers have positions, a Dataset is read once before the training, for how many each row has. Or
                `parts(rows, labels, y)`, which are read shard by shard, without labels and y here.
            labels: soft labels recorded on these rows, or a live teacher (anything that `as_teacher` takes); both give the same result.
                A live teacher is queried once for all rows, in eval mode; if X is a Dataset, it is queried for every batch, with the
                student's inputs. Or an array of probabilities, (rows, classes), if the student was given its classes.
            kind: "logits", if `labels` is an array of logits; by default it holds probabilities.
            y: the ground truth, if the objective reads it: (rows,) class names, (rows, labels) of 0 and 1, or values; with positions the
                class names of each row, (tokens,) or (height, width), where -100 marks a position that counts for nothing. It replaces what
                a Dataset pairs with its inputs.
            sample_weight: (rows,) how much the loss of each row counts; all alike if not given. Only their ratios matter. A share of the
                rows for validation is weighted too.
            class_weight: "balanced", or a dict from classes to weights, 1 for those that it does not name: a row, or a position, counts
                times the weight of its true class, in every term; without ground truth, times the mean by the teacher's probabilities.
                Validation rows too. With a Dataset pass y as well: the classes of all rows are read before the training.
            validation: the share of the rows that select the epoch, drawn by the seed; of `parts`, no epoch shows them. Or (X, y), or
                (X, None, labels) without ground truth; or a Dataset or DataLoader of pairs, read once, into memory. The epoch with the
                fewest errors is selected; without ground truth, or for values, the epoch with the lowest loss.
            device: the device to train on; by default that of the network.
            backend: `Accelerated(accelerator)`, for distributed training and other devices.
            checkpoints: a folder for checkpoints; after an interruption, the same call resumes and ends with the same weights, to the
                last bit. With more epochs or steps, a finished training is continued. A call that differs in anything else is refused.
            callbacks: called with a `Report` after each epoch; if one returns True, the training ends. Each returns True, False or None.
            advance: called after each step, for a custom progress display; not called if `progress` is True.
            progress: show a progress bar on standard error, with each term of the loss by name after each epoch.
            training: epochs, batch_size, seed, optimizer and the other fields of `TrainingSettings`.

        Returns:
            The student itself.

        Raises:
            LabelMismatch: answers to other rows, or of other classes; a checkpoint of another training. ShapeError, BadInput: data,
                network or objective that do not fit each other. SelfCheckFailed: a loss is not finite; the last checkpoint remains.
        """
        check_fit(backend=backend, checkpoints=checkpoints, callbacks=callbacks, advance=advance, progress=progress)
        settings = TrainingSettings.of(training, X)
        if checkpoints is None and settings.checkpoint_steps:
            raise BadInput(
                f"checkpoint_steps is {settings.checkpoint_steps} and checkpoints is None: no checkpoint is saved. Pass checkpoints=, "
                "a folder, or leave checkpoint_steps out."
            )
        if is_read_by_items(X):
            with torch_runtime.seeded(settings.seed):
                X = ItemList.of(X)
        processes = 1 if backend is None else backend.processes
        if isinstance(X, Parts):
            X, labels = parts_to_learn(X, labels, y, class_weight=class_weight, processes=processes)
        teacher = self._teacher(X, labels, kind)
        objective = self.objective or default_objective(teacher, y, self.form)
        form = form_to_learn(teacher, y, self.form, objective)
        answering = None if objective.reads_layers_only else teacher
        reads_truth = "labels" in objective.needs
        is_read = reads_truth or class_weight is not None or isinstance(validation, float | np.floating)
        shared = settings.accumulate > 1 or processes > 1 or sample_weight is not None or class_weight is not None
        found = training_data(X, answering, truth_of(X, y, form, is_read=is_read))
        given = found.with_positions_read(form, answering, seed=settings.seed, shared=shared)
        data, validation_data = split_validation(
            given.weighted(sample_weight, class_weight, form),
            validation,
            form,
            seed=settings.seed,
            class_weight=class_weight,
        )
        self.set_form(form)
        vars(self).pop("biases_", None)  # the layer that they were added to is trained further
        network = placed(self.network, backend.device if device is None and backend is not None else device)
        train_device = torch_runtime.device_of(network)
        feed = data.feed(network, seed=settings.seed, form=form, reads_truth=reads_truth)
        first = self._first_batch(feed, settings)
        objective.check(
            task=form.task, columns=len(form.classes) or 1, given=data.given(first, answering), stacked=copies_of(network) is not None
        )
        check_shared(objective, processes=processes, accumulate=settings.accumulate)
        epochs, steps = settings.length(feed.steps(settings.batching))
        batch_loss = BatchLoss(
            self._callable_network(settings, backend),
            objective,
            self.output or answers_in,
            data.teacher_answers(answering, objective, train_device),
            None if data.flat_truth is None else data.flat_truth.to(train_device),
            precision=settings.precision,
            weights=_on(train_device, data.flat_weights),
            weighs_positions=isinstance(data.weights, Ragged),
            learnt=data.learnt_positions(form, shared=processes > 1 or settings.accumulate > 1),
        )
        saving = None
        if checkpoints is not None:
            config = training_identity(
                network, objective, settings, data=data, form=form, validation=validation_data, teacher=teacher, output=self.output
            )
            saving = Checkpoints(Path(checkpoints), config, initial_weights(network), every=settings.checkpoint_steps)
        shows_progress = progress and (backend is None or backend.writes_checkpoints)
        display = progress_line(steps, epochs) if shows_progress else nullcontext((advance, None))
        with (
            torch_runtime.training_state(settings.seed, threads_count=settings.threads, device_type=train_device.type),
            hidden_layers(batch_loss, network, teacher),
            display as (step_done, epoch_done),
            settings.own_optimizer_restored(lambda: self.projectors_.parameters() if hasattr(self, "projectors_") else ()),
        ):
            self.projectors_ = batch_loss.with_modules(first, network, rows=feed.rows)
            epoch_validation = None if validation_data is None else self._validation(validation_data, form, network)
            loop_settings = settings.loop_settings(
                network,
                self.projectors_,
                epochs=epochs,
                steps=steps,
                validation=epoch_validation,
                callbacks=[*callbacks, epoch_done] if epoch_done else callbacks,
                advance=step_done,
                terms_at=batch_loss.terms_at,
            )
            self.fit_ = train(
                network,
                batch_loss,
                feed,
                loop_settings,
                checkpoints=saving,
                backend=backend,
                projectors=self.projectors_,
                count=None if data.layout is None else data.layout.count,
            )
        return self

    def _callable_network(self, settings: TrainingSettings, backend: Backend | None) -> nn.Module:
        """The network as the training loop calls it: wrapped by the backend, and compiled if the settings say so."""
        wrapped = backend.wrapped(self.network) if backend else self.network
        return cast(nn.Module, torch.compile(wrapped)) if settings.compile else wrapped

    def _first_batch(self, feed: Feed, settings: TrainingSettings) -> Batch:
        """A batch of two rows, after checking that the network returns valid answers for it."""
        with torch_runtime.seeded(settings.seed):
            two = feed.few(2) if isinstance(feed, LoaderFeed) else torch.arange(min(2, feed.rows))
            first = feed.first() if isinstance(feed, PartsFeed) else next(iter(feed.batches(1, [two])))
            with torch_runtime.evaluating(self.network):
                answers = called(self.network, self.output or answers_in, first.copied())
            rows, copies = len(first.rows), copies_of(self.network)
            check_answers(answers, cast(AnswerForm, self.form), self.output, rows=rows, copies=copies)
        return first

    def _validation(self, data: TrainingData, form: AnswerForm, network: nn.Module) -> Validation:
        """The validation rows, after checking that the network returns valid answers for them."""
        found, weights = data.validation(form, network), _on(torch_runtime.device_of(network), data.flat_weights)
        if weights is not None and found.kept is not None:
            weights = weights[found.kept]
        validation = replace(found, output=self.output or answers_in, weights=weights, batch_size=self.predict_batch_size)
        if not isinstance(validation.inputs, Tensor):
            return validation
        first = Batch(validation.inputs[:2], torch.arange(min(2, len(validation.inputs))))
        with torch_runtime.evaluating(network):
            answers = called(network, validation.output, first.copied())
        check_answers(answers, form, self.output, rows=len(first.rows), copies=copies_of(network))
        return validation

    @available_if(lambda self: self._answers_classes)  # type: ignore[untyped-decorator]
    def predict_proba(self, inputs: Any) -> Any:
        """(rows, ...) -> (rows, classes) float32 probabilities at temperature 1; for multilabel, the probability of each label.

        With positions: `PositionAnswers`, the probabilities of each token or pixel that the attention mask leaves. A student of values has
        no such method: `predict` returns them.

        Raises:
            BadInput: rows that are not numbers, or sparse. ShapeError: rows of a width that the network does not take, or
                another number of logits than classes.
        """
        logits = self.outputs(inputs)
        if isinstance(logits, PositionAnswers):
            return check_known(logits.with_values(self._form_of_one.probabilities(logits.dense())))
        return check_known(sigmoid(logits) if self.form is not None and self.form.task == "multilabel" else softmax(logits))

    def predict(self, inputs: Any) -> Any:
        """(rows, ...) -> (rows,) class names; for multilabel (rows, labels) of 0 and 1; for regression (rows,) or (rows, outputs) values.

        With positions: a list with the class names of each row, (tokens,) or (height, width), and so are values if there is one output;
        for multilabel, and for more outputs, (tokens, columns) or (columns, height, width).

        Raises:
            BadInput, ShapeError: as `predict_proba`.
        """
        answers = self.predict_proba(inputs) if self._answers_classes else check_known(self.outputs(inputs))
        if not isinstance(answers, PositionAnswers):
            return self._decided(answers)
        decided = self._decided(answers.dense())
        by_row: Any = answers.with_values(decided if decided.ndim > 1 else decided[:, None])
        return [row if decided.ndim > 1 else row.reshape(shape) for row, shape in zip(by_row, answers.shapes, strict=True)]

    @property
    def _answers_classes(self) -> bool:
        """Whether the answers are of classes or labels, and not values."""
        return self.form is None or self.form.task != "regression"

    def _decided(self, answers: Floats) -> NDArray[Any]:
        """(answers,) class names, (answers, labels) of 0 and 1, or (answers,) or (answers, outputs) values."""
        if not self._answers_classes:
            return answers[:, 0] if answers.shape[1] == 1 else answers
        if self.form is not None and self.form.task == "multilabel":
            return np.asarray(answers > 0.5, dtype=np.int64)
        return np.asarray(self.classes_[answers.argmax(axis=1)])

    @property
    def _form_of_one(self) -> AnswerForm:
        return cast(AnswerForm, self.form).of_each_position

    def outputs(self, inputs: Any) -> Any:
        """(rows, ...) -> (rows, columns) float32: what the network returns, logits or values; with positions `PositionAnswers`.

        Raises:
            BadInput, ShapeError: as `predict_proba`.
        """
        output = self.output or answers_in
        return network_outputs(self.network, inputs, form=self.form, output=output, batch_size=self.predict_batch_size)

    def set_form(self, form: AnswerForm) -> None:
        """State what the answers of the network mean: logits of classes or of labels, or values."""
        self.form = form
        if form.task != "regression":
            self.classes_: NDArray[Any] = label_array(form.classes)

    def __repr__(self) -> str:
        """The kind of the network, and the classes and their biases if they are known."""
        classes = f", classes={list_classes(self.form.classes)}" if self.form is not None and self.form.classes else ""
        biases = f", biases=[{', '.join(f'{bias:.3g}' for bias in self.biases_)}]" if hasattr(self, "biases_") else ""
        return f"TorchStudent({type(self.network).__name__}{classes}{biases})"

    def _teacher(self, X: Any, labels: Any, kind: AnswerKind | None) -> Teacher | None:
        """The teacher or the recorded answers; a torch network without class names gets the student's classes, or needs none.

        Raises:
            BadInput: teacher and student share a network or weights; a kind of answers that know theirs.
        """
        if labels is not None and not is_answer_source(labels):
            return self._soft_labels(X, labels, kind)
        if kind is not None:
            raise BadInput(f"kind={kind!r} says what an array of labels holds, and labels is no array; leave kind out.")
        if labels is None:
            return None
        if not isinstance(labels, nn.Module):
            teacher = as_teacher(labels)
        elif self.objective is not None and self.objective.reads_layers_only:
            teacher = as_teacher(labels, task="regression")  # its answers mean nothing here, and are not asked
        else:
            teacher = network_teacher(labels, self.form)
        parameters = {id(parameter) for parameter in self.network.parameters()}
        shared = sum(id(parameter) in parameters for network in networks_in(teacher) for parameter in network.parameters())
        if shared:
            raise BadInput(
                f"student and teacher share {shared} of the student's {len(parameters)} parameter tensors, so the teacher would change "
                "as the student learns. Give the student a separate network: copy.deepcopy(network)."
            )
        return teacher

    def _soft_labels(self, X: Any, answers: Any, kind: AnswerKind | None) -> SoftLabels:
        """An array of probabilities, logits or values, as soft labels of these rows.

        Raises:
            BadInput: the class names of the columns are unknown, or the kind is none of these. NotProbabilities, ShapeError,
                LabelMismatch: invalid answers.
        """
        regression = self.objective is not None and all(term.tasks == ("regression",) for term in self.objective.terms)
        if self.form is None and not regression:
            raise BadInput(
                f"labels is a {type(answers).__name__} without class names; pass classes= to the student, "
                "such as TorchStudent(network, classes=[...]), or soft labels from record(); for values pass the objective, "
                "tl.losses.squared_error(). The ground truth is passed as y."
            )
        is_value = self.form is None or self.form.kind == "values"
        expected: tuple[AnswerKind, ...] = ("values",) if is_value else ("probabilities", "logits")
        found: AnswerKind = choice("kind", expected[0] if kind is None else kind, expected)
        form = AnswerForm("values", "regression") if self.form is None else self.form.as_kind(found)
        return soft_labels_of(X, answers, form)


def _on(device: torch.device, weights: Tensor | None) -> Tensor | None:
    return None if weights is None else weights.to(device, torch.float32)
