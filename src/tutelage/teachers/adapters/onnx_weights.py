"""The files beside an ONNX file that hold its weights: found wherever a tensor may stand, and never outside the model's folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile


def weight_files(model: Any, path: Path | None) -> list[Path]:
    """The external files of a model, sorted, after proof that each is a file inside the model's folder.

    Args:
        model: the parsed model.
        path: its file; None if it was given as bytes.

    Raises:
        BadInput: a file outside the folder, by its name or by a link; or bytes of a model with external weights. DamagedFile: no file.
    """
    locations = sorted({entry.value for tensor in _tensors(model) for entry in tensor.external_data if entry.key == "location"})
    if locations and path is None:
        raise BadInput(f"the ONNX model stores its weights in the file {locations[0]!r}; pass the path of the model, not its bytes.")
    return [] if path is None else [_inside(path, location) for location in locations]


def digest_of(content: bytes, files: list[Path]) -> str:
    """SHA-256 of a model and of its weights, read in parts."""
    digest = hashlib.sha256(content)
    for file in files:
        with file.open("rb") as handle:
            while part := handle.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _inside(path: Path, location: str) -> Path:
    folder = path.parent.resolve()
    try:
        found = (folder / location).resolve()
    except (OSError, ValueError, RuntimeError):  # a loop of links, or a name that no file can have
        found = Path(folder.anchor)
    if not found.is_relative_to(folder):
        raise BadInput(
            f"{path} stores weights in {location!r}, which is outside the folder of the model; nothing outside it is read. Put the weights "
            "beside the model, as a file and not a link, or export the model again as a single file."
        )
    if not found.is_file():
        raise DamagedFile(f"{path} is not an ONNX graph that can be run (its weights, {location!r}, are no file). Export the model again.")
    return found


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor in a model: in graphs, their subgraphs, functions, and attributes of nodes."""
    from onnx import TensorProto

    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(part)
