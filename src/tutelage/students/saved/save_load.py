"""Students on disk, in formats that hold no code: safetensors for networks, skops for scikit-learn."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, DamagedFile, StaleCache, one_line, require
from tutelage.core.files import whole_file
from tutelage.core.tree_nodes import sound_tree, trees_in

# skops asks before it loads these. Ours hold arrays, other estimators and, as text, Boosters, which prove themselves;
# Tree is safe once `sound_tree` has seen its node numbers.
TRUSTED = [
    "numpy.dtype",  # the type of a column before it was filled
    "sklearn.tree._tree.Tree",
    "tutelage.data.schema.Column",
    "tutelage.data.schema.Schema",
    "tutelage.students.any_estimator.SoftTargets",
    "tutelage.students.boosting.SoftBoosting",
    "tutelage.students.columns.Levels",
    "tutelage.students.columns.Numbers",
    "tutelage.students.linear.SoftLogistic",
    "tutelage.students.mlp.SoftMLP",
    "tutelage.students.multilabel.PerLabel",
    "tutelage.students.saved.trained.TrainedStudent",
    "tutelage.students.trees.SoftForest",
    "tutelage.students.trees.SoftTree",
]

STUDENT_SCHEMA = 2
ABOUT = "tutelage.json"
"""The entry of a .skops file that holds the schema number."""


def save_student(student: Any, path: Path | str) -> Path:
    """Write a student in a format that holds no code.

    Args:
        student: a fitted scikit-learn estimator, such as the students of this room, or a TorchStudent of classes around a
            Sequential of known layers: Linear, Conv2d, norms, pools and the like, as `layers.described` names them.
        path: file to write; the suffix of the format (.skops, or .safetensors for a network) is added if it is missing.

    Returns:
        The file written.

    Raises:
        BadInput: a path with the suffix of the other format, or a network that could not be built again from its file: of other
            layers, or whose answers are no logits of classes.
        CannotWrite: the file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.datasets import load_iris
        >>> import tutelage as tl
        >>> X, y = load_iris(return_X_y=True)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = tl.save_student(tl.SoftTree(max_leaf_nodes=4).fit(X, y), Path(folder) / "tree")
        ...     print(path.name, tl.load_student(path).predict(X[:3]))
        tree.skops [0 0 0]
    """
    if hasattr(student, "network"):
        return _save_network(student, _with_suffix(path, ".safetensors"))
    import skops.io

    path = _with_suffix(path, ".skops")
    for _, step in getattr(getattr(student, "student_", student), "steps", ()):
        words = getattr(step, "vocabulary_", {})
        words.update({word: int(place) for word, place in words.items()})  # skops would store each NumPy number in a file of its own
    with whole_file(path) as draft:
        skops.io.dump(student, draft, compression=zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(draft, "a") as archive:
            archive.writestr(zipfile.ZipInfo(ABOUT), json.dumps({"schema": STUDENT_SCHEMA}))  # ZipInfo: without the time of day
    return path


def load_student(path: Path | str) -> Any:
    """Read a student that `save_student` wrote; nothing in the file is executed.

    Args:
        path: the file, with its suffix.

    Raises:
        DamagedFile: not such a file, or one that was tampered with. StaleCache: a file of another version of the format.
            MissingExtra: a network, without torch.

    Example: see `save_student`.

        >>> import tutelage as tl
        >>> tl.load_student("missing.skops")
        Traceback (most recent call last):
            ...
        tutelage.core.errors.DamagedFile: missing.skops cannot be read (No such file or directory). ...
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            return _load_network(path)
        return _load_estimator(path)
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror or error}). Save the student again.") from error


def _with_suffix(path: Path | str, suffix: str) -> Path:
    path = Path(path)
    if path.suffix in (".skops", ".safetensors") and path.suffix != suffix:
        raise BadInput(f"{path} ends in {path.suffix}, and this student is stored as {suffix}; change the suffix, or leave it out.")
    return path if path.suffix == suffix else path.with_name(path.name + suffix)  # not Path.with_suffix: a name may hold a dot


def _save_network(student: Any, path: Path) -> Path:
    from safetensors.torch import save

    from tutelage.students.saved.layers import described, flattened, outputs_of

    form = student.form
    if student.output is not None or form is None or form.task not in ("binary", "multiclass"):
        raise BadInput(
            "only a network that gives logits, one for each of known classes, can be saved; one with output= or another task cannot."
        )
    try:
        about = {"schema": STUDENT_SCHEMA, "layers": described(student.network), "classes": list(form.classes)}
    except BadInput as error:
        raise BadInput(f"the network cannot be saved: {error} Export it as ONNX.") from error
    network = flattened(student.network)
    if outputs_of(network) not in (None, len(form.classes)):
        raise BadInput(f"the network gives {outputs_of(network)} logits a row; expected one for each of {len(form.classes)} classes.")
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    with whole_file(path) as draft:
        # Not save_file: it writes to another draft, with a name that nobody recognises if the process is killed.
        draft.write_bytes(save(weights, {"tutelage": json.dumps(about)}))
    return path


def _check_schema(path: Path, about: Any) -> None:
    """Check that a file is of the format that this version reads.

    Raises:
        StaleCache: it is not.
    """
    schema = about.get("schema") if isinstance(about, dict) else None
    if schema != STUDENT_SCHEMA:
        raise StaleCache(
            f"{path} has schema {schema}; this version of tutelage reads {STUDENT_SCHEMA}. Load it with the version that saved it, or "
            "save the student again."
        )


def _load_network(path: Path) -> Any:
    require("torch")
    from safetensors import SafetensorError, safe_open

    from tutelage.students.saved.layers import built, layout, outputs_of
    from tutelage.training.student import TorchStudent

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["tutelage"])
            # Copies: safetensors maps the file into memory, and what is written over the file later must not change the student.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no iterator
        network = built(about["layers"])
        if layout(tensors) != layout(network.state_dict()):
            raise ValueError("its weights do not fit its layers")
        if outputs_of(network) not in (None, len(about["classes"])):
            raise ValueError(f"{len(about['classes'])} classes, {outputs_of(network)} logits")
        _check_schema(path, about)
        network.load_state_dict(tensors, assign=True)
        return TorchStudent(network, classes=about["classes"])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFile(f"{path} is not a student that tutelage saved ({one_line(error)}). Save the student again.") from error


def _load_estimator(path: Path) -> Any:
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        student = skops.io.load(path, trusted=TRUSTED)
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(ABOUT)) if ABOUT in archive.namelist() else None
    except DamagedFile as error:
        raise DamagedFile(f"{path}: {error} Do not use it.") from error
    except (UntrustedTypesFoundException, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise DamagedFile(f"{path} is not a student that tutelage saved ({reason}). Save the student again.") from error
    if not all(map(sound_tree, trees_in(student))):
        raise DamagedFile(f"{path} holds a tree whose nodes point outside it; it was damaged or tampered with. Do not use it.")
    _check_schema(path, about)
    return student
