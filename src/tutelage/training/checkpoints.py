"""The state of a training on disk: one safetensors file that is replaced whole, and that holds no code."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tutelage.core.errors import BadInput, DamagedFile, LabelMismatch, StaleCache, require
from tutelage.core.files import check_place, whole_file

if TYPE_CHECKING:
    from tutelage.training.state import State

CHECKPOINT_SCHEMA = 3
FILE = "training.safetensors"


@dataclass(frozen=True)
class Checkpoints:
    """Keeps a training in a folder after every epoch, and within one, so that a killed one goes on to the same weights.

    Attributes:
        folder: where; it may hold nothing else.
        of: what settles the training (data, labels, settings), as plain values: another training is refused.
        every: also keep after so many steps of an epoch; 0 keeps at its end alone.
    """

    folder: Path
    of: dict[str, Any]
    every: int = 0

    def __post_init__(self) -> None:
        check_place(self.folder, may_replace=lambda folder: all(FILE in path.name for path in folder.iterdir()))

    def is_due(self, step: int) -> bool:
        """Whether to keep the state after this step of an epoch."""
        return self.every > 0 and step % self.every == 0

    def save(self, state: State) -> None:
        """Write the state whole.

        Raises:
            CannotWrite: the folder cannot be written. BadInput: a schedule or optimizer holds what is no number.
        """
        tensors: dict[str, Tensor] = {}
        told = {
            "schema": CHECKPOINT_SCHEMA,
            "of": self.of,
            "state": _packed(state.to_plain(), tensors),
        }
        from safetensors.torch import save

        with whole_file(self.folder / FILE) as draft:
            # Not save_file: it writes to another draft, with a name that nobody recognises if the process is killed.
            draft.write_bytes(save(tensors, {"tutelage": json.dumps(told)}))

    def restore(self, state: State) -> None:
        """Put the kept state back, if one was kept; nothing in the file is executed.

        Raises:
            LabelMismatch: it is of another training. DamagedFile, StaleCache: it cannot be read.
        """
        path = self.folder / FILE
        if not path.is_file():
            return
        told, tensors = _read(path)
        if told["schema"] != CHECKPOINT_SCHEMA:
            raise StaleCache(f"{path} has schema {told['schema']}; this version of tutelage reads {CHECKPOINT_SCHEMA}. Delete it.")
        differs = next((key for key in {**told["of"], **self.of} if told["of"].get(key) != self.of.get(key)), None)
        if differs is not None:
            raise LabelMismatch(
                f"{path} is of another training ({differs} is {told['of'].get(differs)} there, {self.of.get(differs)} here). "
                "Choose another folder for checkpoints, or delete it."
            )
        try:
            state.take_plain(_unpacked(told["state"], tensors))
        except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
            raise DamagedFile(f"{path} does not fit this training ({' '.join(str(error).split())[:200]}). Delete it.") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            told = dict(json.loads((file.metadata() or {})["tutelage"]))
            if not {"schema", "of", "state"} <= set(told):
                raise KeyError("schema, of or state")
            return told, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
    except (require("safetensors").SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFile(f"{path} is no checkpoint of tutelage ({' '.join(str(error).split())[:200]}). Delete it.") from error


def _packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """A nested value as JSON; its tensors go into `tensors` and leave their name."""
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
        f"a training whose optimizer or schedule holds a {type(value).__name__} cannot be kept; leave checkpoints out, "
        "or take one of torch's own."
    )


def _unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_packed`."""
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind in ("dict", "counter"):
        pairs = {_unpacked(key, tensors): _unpacked(of, tensors) for key, of in inner}
        return Counter(pairs) if kind == "counter" else pairs
    sequence = [_unpacked(of, tensors) for of in inner]
    return tuple(sequence) if kind == "tuple" else sequence
