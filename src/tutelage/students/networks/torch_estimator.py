"""What torch networks with scikit-learn's API share: their settings, how they are built and trained, and what a file holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from tutelage.core import torch_runtime
from tutelage.core.arrays import Floats
from tutelage.core.errors import FOREIGN, BadInput, DamagedFile, TutelageError, did_you_mean, one_line, require, shown
from tutelage.data.structures.inputs import RowInputs
from tutelage.data.structures.network_answers import tensors_of
from tutelage.data.structures.structured import StructuredRows, is_structure
from tutelage.students.checked import Check, a_number, a_whole, optional, random_seed
from tutelage.students.networks.building import FILLED_IN, NOT_GIVEN, arguments_of, name_of, plain_or_not_given, takes_any
from tutelage.students.saved.own_code import OwnCode

if TYPE_CHECKING:
    from torch import nn

    from tutelage.core.answers import AnswerForm
    from tutelage.losses.objective import Objective

MADE_WITH = "the function, or the network, that the student was made with"
FEW_WEIGHTS = 100_000
"""Networks of fewer weights are trained with one thread, which is as fast."""


class TorchEstimator(OwnCode, BaseEstimator):  # type: ignore[misc]
    """A torch network that is built and trained in `fit`; see `TorchClassifier` and `TorchRegressor`."""

    _settings: ClassVar[Mapping[str, Check]] = {
        "learning_rate": a_number(above=0, most=1e30),
        "weight_decay": a_number(least=0, most=1e30),
        "epochs": a_whole(1),
        "batch_size": a_whole(1),
        "validation_fraction": a_number(least=0, below=1, hint="(a share of the rows)"),
        "patience": optional(a_whole(1)),
        "random_state": random_seed,
    }

    arguments: Mapping[str, Any] = MappingProxyType({})
    best_epoch_: int
    _network: Any
    _shape: tuple[int | tuple[int, ...] | RowInputs, int]
    _left_out: tuple[str, ...] = ()

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
        random_state: int | None = None,
        **arguments: Any,
    ) -> None:
        self.module = module
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        if arguments:  # scikit-learn's checks allow no other attributes than the arguments that have names
            self.arguments = arguments

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All settings by name, those of the building function among them."""
        return {**arguments_of(self.module), **self.arguments, **super().get_params(deep=deep)}

    def set_params(self, **params: Any) -> Self:
        """Change settings by name.

        Raises:
            BadInput: a setting that neither the estimator nor the building function has.
        """
        own = {name: value for name, value in params.items() if name in self._get_param_names()}
        super().set_params(**own)
        known = self.get_params()
        for name in params:
            if name not in known and not takes_any(self.module):
                raise BadInput(f"this {type(self).__name__} has no setting {shown(name)}.{did_you_mean(name, known)}")
        self.arguments = {**self.arguments, **{name: value for name, value in params.items() if name not in own}}
        return self

    @property
    def network_(self) -> nn.Module:
        """The trained network."""
        if "_network" not in vars(self):
            raise AttributeError(f"this {type(self).__name__} is not fitted, so it has no network_")
        if isinstance(self._network, dict):
            self._network = _described_network(self._network)
        return self._network  # type: ignore[no-any-return]

    @property
    def row_inputs(self) -> RowInputs | None:
        """How rows look, after a fit on rows of several inputs; None before, and for other rows."""
        learnt = vars(self).get("_shape", (None,))[0]
        return learnt if isinstance(learnt, RowInputs) else None

    @property
    def needs_code(self) -> bool:
        """See `OwnCode`."""
        network = vars(self).get("_network")
        return isinstance(network, dict) and network["about"]["layers"] is None

    def fill(self, path: Path, module: Any) -> None:
        """See `OwnCode`."""
        from tutelage.students.saved.networks import filled_network

        def build() -> nn.Module:
            bound = module.keywords if isinstance(module, partial) else {}
            unknown = [name for name in self._left_out if name not in bound and (name in arguments_of(module) or takes_any(module))]
            if unknown:
                raise BadInput(
                    f"{path} cannot hold the value of {unknown[0]}, with which {name_of(module)} was called. Pass it again: "
                    f"network=functools.partial({name_of(module)}, {', '.join(f'{name}=...' for name in unknown)})."
                )
            try:
                return self._built(*self._shape)
            except BadInput as error:
                raise BadInput(f"network= cannot build the network of {path}: {one_line(error)} Pass {MADE_WITH}.") from error

        stored = self._network
        self.module = module
        tensors = {name: torch_runtime.tensor_of(value) for name, value in stored["weights"].items()}
        made = f"{MADE_WITH}: load_student(path, network=build)"
        self._network = filled_network(path, None if module is None else build, stored["about"], tensors, remedy=made)

    def _several(self, X: Any, *, reset: bool) -> StructuredRows | None:
        """Rows of several inputs, in the order of those learnt from; None for other rows.

        Args:
            X: rows of any kind; several inputs are a mapping of arrays, or `StructuredRows`.
            reset: whether the student learns from them; otherwise they must be like those that it has learnt from.

        Raises:
            BadInput: several inputs for a student of other rows, or the reverse, or other inputs. ShapeError: inputs of another shape.
        """
        several = isinstance(X, Mapping | StructuredRows) and is_structure(X)
        learnt = None if reset else self.row_inputs
        if learnt is not None:
            return learnt.arranged(X)
        if several and not reset:
            raise BadInput(f"the rows are several inputs, and this {type(self).__name__} was fitted on an array; pass rows like those.")
        return StructuredRows.of(X) if several else None

    def _train(self, rows: Any, targets: Floats, weights: Floats | None, form: AnswerForm | None, objective: Objective | None) -> None:
        """Build the network and train it.

        Args:
            rows: (rows, ...) numbers, or several inputs.
            targets: (rows, columns) probabilities; values, if there is no form.
            weights: (rows,) float64; None if all count alike.
            form: what the network answers, logits; None for values.
            objective: what is minimised; None is the cross-entropy.
        """
        require("torch")
        from tutelage.training.student import TorchStudent

        if weights is not None:  # rows without weight must not change the statistics of normalisation layers
            positive = weights > 0
            rows, targets, weights = rows[positive], targets[positive], weights[positive]
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        shape = (_inputs_of(rows), targets.shape[1])
        with torch_runtime.seeded(seed):
            network = self._built(*shape)
        student = TorchStudent(network, objective)
        if form is not None:
            student.set_form(form)
        student.fit(
            _ids(network, rows),
            targets,
            sample_weight=weights,
            validation=float(self.validation_fraction) or None,
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            seed=seed,
            optimizer=partial(_adam, learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            threads=1 if sum(weight.numel() for weight in network.parameters()) < FEW_WEIGHTS else None,
        )
        self._network, self._shape, self.best_epoch_ = network, shape, int(student.fit_.best_epoch[0])

    def _built(self, inputs: int | tuple[int, ...] | RowInputs, outputs: int) -> nn.Module:
        """A network to train, with all its weights, none of which it shares with another: a function may use a layer that it did not build.

        Raises:
            BadInput: there is no function, it takes other arguments, it fails or makes something else, or the network cannot be copied.
        """
        torch = require("torch")
        if isinstance(self.module, torch.nn.Module):
            if self.arguments:
                raise BadInput(
                    f"module is a network, which takes no {shown(next(iter(self.arguments)))}; pass a function that builds the network."
                )
            return _initialised(torch_runtime.copied(self.module), inputs)  # type: ignore[no-any-return]
        given = self._given(inputs.sizes if isinstance(inputs, RowInputs) else inputs, outputs)
        try:
            network = self.module(**given)
        except TutelageError:
            raise
        except FOREIGN as error:  # whatever the code of the user raises
            called = ", ".join(f"{name}={shown(value)}" for name, value in given.items())
            raise BadInput(f"{name_of(self.module)}({called}) failed ({type(error).__name__}: {one_line(error)}).") from error
        if not isinstance(network, torch.nn.Module):
            raise BadInput(f"{name_of(self.module)} returned a {type(network).__name__}; expected a function that builds a torch Module.")
        return _initialised(torch_runtime.copied(network), inputs)  # type: ignore[no-any-return]

    def _given(self, inputs: Any, outputs: Any) -> dict[str, Any]:
        """The arguments of the building function.

        Raises:
            BadInput: no function, or arguments that it does not have, lacks, or shares with the training.
        """
        module, kind = self.module, type(self).__name__
        if not callable(module):
            again = " A student that was loaded from a file has no code: make a new one to train it." if module is None else ""
            raise BadInput(f"module is {shown(module)}; expected a torch Module, or a function that builds one.{again}")
        names, own = arguments_of(module, filled_in=True), set(self._get_param_names())
        twice = next((name for name in names if name in own), None)
        if twice is not None:
            raise BadInput(f"{name_of(module)} has an argument {twice!r}, which is a setting of {kind}; rename it.")
        strange = next((name for name in self.arguments if name in FILLED_IN or (name not in names and not takes_any(module))), None)
        if strange is not None:
            why = "`fit` passes it" if strange in FILLED_IN else f"the function has no such argument.{did_you_mean(strange, names)}"
            raise BadInput(f"{kind} was given {strange!r} for {name_of(module)}; {why}")
        plain = {name: plain_or_not_given(value) for name, value in self.arguments.items()}  # the same when a file is read
        arguments = {name: self.arguments[name] if value is NOT_GIVEN else value for name, value in plain.items()}
        given = {**{name: value for name, value in names.items() if name not in FILLED_IN}, **arguments}
        lacking = next((name for name, value in given.items() if value is NOT_GIVEN), None)
        if lacking is not None:
            raise BadInput(f"{name_of(module)} needs {lacking!r}; pass it: {kind}({name_of(module)}, {lacking}=...).")
        return {**given, **{name: value for name, value in zip(FILLED_IN, (inputs, outputs), strict=True) if name in names}}

    def _outputs(self, X: Any, form: AnswerForm | None) -> Floats:
        """(rows, columns) float64 logits or values of the network."""
        from tutelage.training.student import TorchStudent

        student = TorchStudent(self.network_)
        if form is not None:
            student.set_form(form)
        outputs: Floats = student.outputs(_ids(student.network, X)).astype(np.float64)
        return outputs

    def __getstate__(self) -> dict[str, Any]:
        """What a file holds, which has no code: the layers and weights of the network, or of other networks the weights alone."""
        state: dict[str, Any] = dict(super().__getstate__())
        arguments = {name: plain_or_not_given(value) for name, value in self.arguments.items()}
        defaults = arguments_of(self.module)
        left_out = [name for name, value in arguments.items() if value is NOT_GIVEN and defaults.get(name) is not self.arguments[name]]
        state |= {"module": None, "arguments": {name: value for name, value in arguments.items() if value is not NOT_GIVEN}}
        if left_out:
            state["_left_out"] = (*self._left_out, *left_out)
        if "_network" in state and not isinstance(self._network, dict):
            from tutelage.students.saved.networks import stored_network

            about, tensors = stored_network(self._network)
            state["_network"] = {"about": about, "weights": _arrays(tensors)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read what a file holds.

        Raises:
            DamagedFile: a network that is not stored as `__getstate__` stores it.
        """
        network = state.get("_network", {"about": {"layers": []}, "weights": {}})
        try:
            arrays = all(type(value) is np.ndarray and value.dtype.kind in "biuf" for value in network["weights"].values())
            sound = arrays and "layers" in network["about"] and type(network) is dict
            inputs, outputs = state.get("_shape", (1, 1))
            several = isinstance(inputs, RowInputs)
            sizes = (*(() if several else inputs if isinstance(inputs, tuple) else (inputs,)), outputs)
            sound = sound and all(type(size) is int and size > 0 for size in sizes) and (not several or inputs.sound)
            sound = sound and all(type(name) is str for name in state.get("_left_out", ()))
        except (TypeError, KeyError, AttributeError, ValueError):
            sound = False
        if not sound:
            raise DamagedFile("a torch network is not stored as it should be; the file was damaged or tampered with.")
        super().__setstate__(state | {"module": None})

    def __reduce_ex__(self, protocol: Any) -> Any:  # a pickle and a copy have the code too
        return _again, (type(self), dict(vars(self)))


def _again(kind: type[TorchEstimator], attributes: dict[str, Any]) -> TorchEstimator:
    """The estimator with these attributes."""
    estimator = kind.__new__(kind)
    estimator.__dict__.update(attributes)
    return estimator


def _adam(parameters: Any, *, learning_rate: float, weight_decay: float) -> Any:
    return require("torch").optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)


def _inputs_of(rows: Any) -> int | tuple[int, ...] | RowInputs:
    """How rows look: the number of their columns, their shape, or their inputs."""
    if isinstance(rows, StructuredRows):
        return RowInputs.of(rows)
    return int(rows.shape[1]) if rows.ndim == 2 else tuple(map(int, rows.shape[1:]))


def _initialised(network: Any, inputs: int | tuple[int, ...] | RowInputs) -> Any:
    """The network, called once if layers read their sizes from the first rows that they see."""
    torch = require("torch")
    if any(isinstance(weight, torch.nn.parameter.UninitializedParameter) for weight in network.parameters()):
        shape = (inputs,) if isinstance(inputs, int) else inputs
        try:
            with torch_runtime.evaluating(network):
                if isinstance(shape, RowInputs):
                    torch_runtime.called(network, tensors_of(shape.ones(2), network))
                else:
                    network(torch.zeros(2, *shape))
        except FOREIGN as error:  # whatever the code of the user raises
            rows = f"with the inputs {', '.join(shape.names)}" if isinstance(shape, RowInputs) else f"of shape {shape}"
            raise BadInput(f"the network cannot take rows {rows} ({one_line(error)}).") from error
    return network


def embeds(network: nn.Module) -> bool:
    """Whether a network has an embedding, which takes whole numbers as ids."""
    layers = require("torch").nn
    return any(isinstance(layer, layers.Embedding | layers.EmbeddingBag) for layer in network.modules())


def _ids(network: nn.Module, rows: Any) -> Any:
    """Rows of a network with an embedding as whole numbers, if they are: tables hold ids as floats beside other columns."""
    if isinstance(rows, StructuredRows) or rows.dtype.kind != "f" or not embeds(network):
        return rows
    with np.errstate(invalid="ignore"):  # numbers beyond those of int64 are not whole afterwards
        whole = rows.astype(np.int64)
    return whole if np.array_equal(whole, rows) else rows


def _described_network(stored: dict[str, Any]) -> nn.Module:
    """The network of a file that describes its layers.

    Raises:
        DamagedFile: its layers or weights do not fit.
    """
    require("torch")
    from tutelage.students.saved.networks import described_network

    try:
        tensors = {name: torch_runtime.tensor_of(value) for name, value in stored["weights"].items()}
        return described_network(stored["about"]["layers"], tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile(f"a torch network was damaged or tampered with ({one_line(error)}). Do not use it.") from error


def _arrays(tensors: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    try:
        return {name: value.numpy() for name, value in tensors.items()}
    except TypeError as error:  # such as bfloat16
        raise BadInput(f"the network cannot be saved: {one_line(error)} Convert it first: network.float().") from error
