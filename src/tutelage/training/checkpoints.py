"""Checkpoints: the state of a training run in one safetensors file, which is replaced atomically and contains no code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from warnings import warn

from torch import Tensor

from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, StaleCache
from tutelage.core.file_systems.places import check_place
from tutelage.core.stored.checksums import read_tensors, write_tensors

if TYPE_CHECKING:
    from tutelage.training.state import State

CHECKPOINT_SCHEMA = 9
FILE = "training.safetensors"
LENGTHS = ("epochs", "max_steps")
"""What a training without schedules that are laid out for its length may have more of than its checkpoint."""


@dataclass(frozen=True)
class Checkpoints:
    """Saves the state of a training run after every epoch, or more often, so that an interrupted run resumes to the same weights.

    Attributes:
        folder: where to save; it may contain nothing else.
        config: what determines the training, as `training_identity` gives it; a checkpoint of another training is refused.
        initial: identifies the weights before the first step.
        every: also save after every this many steps of an epoch; 0 saves at the end of each epoch only.
    """

    folder: Path
    config: dict[str, Any]
    initial: str = ""
    every: int = 0

    def __post_init__(self) -> None:
        check_place(self.folder, may_replace=lambda folder: all(FILE in path.name for path in folder.iterdir()))

    def is_due(self, step: int) -> bool:
        """Whether to save the state after this step of an epoch."""
        return self.every > 0 and step % self.every == 0

    def save(self, state: State) -> None:
        """Write the state, replacing the last checkpoint atomically.

        Raises:
            CannotWrite: the folder cannot be written. BadInput: the optimizer or schedule holds a value that is neither a plain value
                nor a tensor.
        """
        tensors: dict[str, Tensor] = {}
        metadata = {
            "schema": CHECKPOINT_SCHEMA,
            "config": self.config,
            "initial": self.initial,
            "state": _packed(state.to_plain(), tensors),
        }
        write_tensors(self.folder / FILE, tensors, metadata, framework="torch")

    def restore(self, state: State, *, epochs: int, max_steps: int | None = None) -> None:
        """Load the checkpoint into a state, if there is one; nothing in the file is executed.

        A training that was interrupted resumes, with a warning, also if the network was built with other initial weights: a network
        built without a seed has others in each process, and what the checkpoint holds is the training that was interrupted.

        Args:
            state: the state to load into.
            epochs: how many epochs are requested.
            max_steps: how many steps are requested, if they end the training.

        Raises:
            LabelMismatch: the checkpoint is of another training, of a longer one, or of a finished one from other initial weights.
            DamagedFile, StaleCache: it cannot be read.
        """
        path = self.folder / FILE
        if not path.is_file():
            return
        metadata, tensors = _read(path)
        if metadata["schema"] != CHECKPOINT_SCHEMA:
            raise StaleCache(
                f"{path} has schema {metadata['schema']}; this version of tutelage reads {CHECKPOINT_SCHEMA}. Finish the training with the "
                "version that began it, or delete the file."
            )
        saved = metadata["config"]
        differs = next((key for key in {**saved, **self.config} if saved.get(key) != self.config.get(key)), None)
        if differs in LENGTHS:
            raise LabelMismatch(
                f"{path} holds a training whose schedules were laid out for {differs}={saved.get(differs)}, and {self.config.get(differs)} "
                "are requested: from its first step on, that training has other learning rates, weights or temperatures. Choose another "
                "folder for checkpoints; to lengthen trainings, use schedules that do not depend on the number of steps."
            )
        if differs is not None:
            raise LabelMismatch(
                f"{path} is the checkpoint of another training: its {differs} is {saved.get(differs)}, "
                f"expected {self.config.get(differs)}. Choose another folder for checkpoints, or delete the file."
            )
        try:
            state.take_plain(_unpacked(metadata["state"], tensors))
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
            raise DamagedFile(f"{path} does not fit this training ({' '.join(str(error).split())[:200]}). Delete the file.") from error
        shorter = max_steps is not None and state.taken > max_steps
        if shorter or state.epoch > epochs:
            seen = f"after step {state.taken}, and {max_steps}" if shorter else f"in its epoch {state.epoch}, and {epochs}"
            raise LabelMismatch(f"{path} holds a training {seen} are requested. Choose another folder for checkpoints.")
        if metadata["initial"] != self.initial:
            at_end = state.taken == max_steps or (state.epoch == epochs and state.step == 0)
            self._report_other_weights(path, finished=state.stopped or at_end)

    def _report_other_weights(self, path: Path, *, finished: bool) -> None:
        if finished:
            raise LabelMismatch(
                f"{path} holds a finished training of a network with other initial weights. To get its result, build the network as then, "
                "with the same seed (torch.manual_seed); to train this network, choose another folder for checkpoints."
            )
        warn(
            f"the training in {path} began with other initial weights than this network has; it is continued, and they are not used. "
            "Build the network with a seed (torch.manual_seed), or choose another folder for checkpoints.",
            UserWarning,
            stacklevel=6,
        )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    metadata, tensors = read_tensors(path, framework="torch", of="a tutelage checkpoint", remedy="Delete the file.")
    if not {"schema", "config", "initial", "state"} <= set(metadata):
        raise DamagedFile(f"{path} is not a tutelage checkpoint (it lacks schema, config, initial or state). Delete the file.")
    return metadata, tensors


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A nested value as JSON; each tensor is moved to `tensors` and replaced with its name."""
    if isinstance(value, Tensor):
        name = f"t{len(tensors)}"
        tensors[name] = value.detach().clone().contiguous()
        return {"tensor": name}
    if isinstance(value, Counter):
        return {"counter": [[_packed(key, tensors), count] for key, count in value.items()]}
    if isinstance(value, dict):
        return {"dict": [[_packed(key, tensors), _packed(inner, tensors)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [_packed(inner, tensors) for inner in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise BadInput(
        f"the optimizer or schedule holds a {type(value).__name__}, which a checkpoint cannot hold; leave checkpoints out, "
        "or use an optimizer and a schedule of torch."
    )


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_packed`."""
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind in ("dict", "counter"):
        pairs = {_unpacked(key, tensors): _unpacked(item, tensors) for key, item in inner}
        return Counter(pairs) if kind == "counter" else pairs
    sequence = [_unpacked(item, tensors) for item in inner]
    return tuple(sequence) if kind == "tuple" else sequence
