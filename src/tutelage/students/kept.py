"""Students on disk, in formats that hold no code: safetensors for networks, skops for scikit-learn."""

from __future__ import annotations

import json
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile, require
from tutelage.core.nodes import sound_tree, trees_in

# skops asks before it loads these. Ours hold arrays, other estimators and, as text, Boosters, which prove themselves;
# Tree is safe once `sound_tree` has seen its node numbers.
TRUSTED = [
    "numpy.dtype",  # what a column held before it was filled
    "sklearn.tree._tree.Tree",
    "tutelage.students.any_estimator.SoftTargets",
    "tutelage.students.boosting.SoftBoosting",
    "tutelage.students.linear.SoftLogistic",
    "tutelage.students.mlp.SoftMLP",
    "tutelage.students.multilabel.PerLabel",
    "tutelage.students.trained.TrainedStudent",
    "tutelage.students.trees.SoftForest",
    "tutelage.students.trees.SoftTree",
]


def save_student(student: Any, stem: Path) -> Path:
    """Write a student beside `stem`, with the suffix of its format.

    Args:
        student: a TorchStudent around an `mlp`, or a fitted scikit-learn estimator, such as the students of this room.
        stem: path without suffix.

    Returns:
        The file written.

    Raises:
        BadInput: a network that is not an `mlp`; its shape could not be told from its file.
    """
    if hasattr(student, "network"):
        return _save_mlp(student, _with_suffix(stem, ".safetensors"))
    import skops.io

    path = _with_suffix(stem, ".skops")
    for _, step in getattr(getattr(student, "student_", student), "steps", ()):
        words = getattr(step, "vocabulary_", {})
        words.update({word: int(place) for word, place in words.items()})  # skops keeps each NumPy number in a file of its own
    skops.io.dump(student, path, compression=zipfile.ZIP_DEFLATED)
    return path


def load_student(path: Path) -> Any:
    """Read a student that `save_student` wrote; nothing in the file is executed.

    Raises:
        DamagedFile: not such a file, or one that was tampered with. MissingExtra: a network, without torch.
    """
    try:
        if path.suffix == ".safetensors":
            return _load_mlp(path)
        return _load_estimator(path)
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or error}). Run the recipe again.") from error


def _with_suffix(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)  # not Path.with_suffix: a name may hold a dot


def _save_mlp(student: Any, path: Path) -> Path:
    from safetensors.torch import save_file
    from torch import nn

    layers = list(student.network)
    linears = layers[::2]
    if not all(isinstance(layer, nn.Linear) for layer in linears) or not all(isinstance(layer, nn.ReLU) for layer in layers[1::2]):
        raise BadInput("only networks made by mlp() can be kept; export any other as ONNX.")
    sizes = [linears[0].in_features, *(layer.out_features for layer in linears)]
    about = {"kind": "mlp", "sizes": sizes, "classes": student.classes_.tolist()}
    save_file({name: value.contiguous() for name, value in student.network.state_dict().items()}, path, {"tutelage": json.dumps(about)})
    return path


def _load_mlp(path: Path) -> Any:
    torch = require("torch")
    from safetensors import SafetensorError, safe_open

    from tutelage.students.networks import mlp
    from tutelage.students.torch_student import TorchStudent

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["tutelage"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator
        network = mlp([int(size) for size in about["sizes"]])
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        if {name: value.shape for name, value in tensors.items()} != shapes or len(about["classes"]) != about["sizes"][-1]:
            raise ValueError(f"weights do not fit sizes {list(pairwise(about['sizes']))}")
        network.load_state_dict(tensors)
    except (SafetensorError, ValueError, KeyError, TypeError, torch.cuda.OutOfMemoryError) as error:
        raise DamagedFile(f"{path} is not a student that tutelage kept ({error}). Run the recipe again.") from error
    return TorchStudent(network, classes=about["classes"])


def _load_estimator(path: Path) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        student = skops.io.load(path, trusted=TRUSTED)
    except DamagedFile as error:
        raise DamagedFile(f"{path}: {error} Do not use it.") from error
    except (UntrustedTypesFoundException, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFile(f"{path} is not a student that tutelage kept ({reason}). Run the recipe again.") from error
    if not all(map(sound_tree, trees_in(student))):
        raise DamagedFile(f"{path} holds a tree whose nodes point outside it; it was damaged or tampered with. Do not use it.")
    return student
