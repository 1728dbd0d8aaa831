"""Students on disk, in formats that hold no code: safetensors for networks, skops for scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tutelage.core.arguments import path as checked_path
from tutelage.core.errors import BadInput, DamagedFile, require, shown
from tutelage.core.file_systems.paths import suffix_of
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.core.stored.skops_files import dump_skops, read_skops, reading_skops, skops_io
from tutelage.core.stored.tree_nodes import instances_in, sound_tree, trees_in
from tutelage.students.cascade import Cascade
from tutelage.students.saved.cascades import guarantee_to_store, stored_cascade, student_to_store
from tutelage.students.saved.own_code import OwnCode
from tutelage.students.saved.trained_folder import read_trained, student_file
from tutelage.students.saved.version import AGAIN, OURS, STUDENT_SCHEMA, check_schema

# skops asks before it loads these. Ours hold arrays, other estimators and, as text, Boosters, which prove themselves;
# Tree is safe once `sound_tree` has seen its node numbers.
TRUSTED = [
    "numpy.dtype",  # the type of a column before it was filled
    "sklearn.tree._tree.Tree",
    "tutelage.data.schema.Column",
    "tutelage.data.schema.Schema",
    "tutelage.data.structures.inputs.RowInputs",
    "tutelage.data.structures.scale.Scale",
    "tutelage.students.any_estimator.SoftTargets",
    "tutelage.students.boosting.SoftBoosting",
    "tutelage.students.columns.RowShape",
    "tutelage.students.columns.median_of",
    "tutelage.students.columns.Levels",
    "tutelage.students.columns.Numbers",
    "tutelage.students.linear.SoftLogistic",
    "tutelage.students.networks.mlp.SoftMLP",
    "tutelage.students.networks.mlp_regressor.NetworkRegressor",
    "tutelage.students.networks.soft_decision_tree.SoftDecisionTree",
    "tutelage.students.networks.torch_network.TorchClassifier",
    "tutelage.students.networks.torch_network.TorchRegressor",
    "tutelage.students.multilabel.PerLabel",
    "tutelage.students.saved.trained.TrainedStudent",
    "tutelage.students.trees.SoftForest",
    "tutelage.students.trees.SoftTree",
]


_CASCADE = "cascade"


def save_student(student: Any, path: Path | str) -> Path:
    """Write a student in a format that holds no code.

    Args:
        student: a fitted scikit-learn estimator, such as the students of this room, or a TorchStudent. A Sequential of known layers
            (Linear, convolutions, norms, pools, activations) is stored with their description. Of any other network the file holds the
            weights, and `load_student` needs a function that builds it. Or a calibrated `Cascade` of an estimator, without its teacher.
        path: file to write; the suffix of the format (.skops, or .safetensors for a network) is added if it is missing.

    Returns:
        The file written.

    Raises:
        BadInput: a path with the suffix of the other format; an estimator that holds types which could run code; a network whose answers
            have no meaning yet, or are not one for each class.
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
    if isinstance(student, type) or not hasattr(student, "predict"):
        raise BadInput(f"the student is {shown(student)}; expected a fitted scikit-learn estimator or a TorchStudent.")
    if hasattr(student, "network"):
        from tutelage.students.saved.networks import save_network

        path = _with_suffix(path, ".safetensors")
        save_network(student, path)
        return path
    path = _with_suffix(path, ".skops")
    about: dict[str, Any] = {"schema": STUDENT_SCHEMA}
    if isinstance(student, Cascade):
        about[_CASCADE] = guarantee_to_store(student)
        student = student_to_store(student)
    for _, step in getattr(getattr(student, "student_", student), "steps", ()):
        words = getattr(step, "vocabulary_", {})
        words.update({word: int(place) for word, place in words.items()})  # skops would store each NumPy number in a file of its own
    content = dump_skops(student, about)
    unknown = sorted(set(skops_io().get_untrusted_types(data=content)) - set(TRUSTED))
    if unknown:
        raise BadInput(
            f"this {type(student).__name__} holds {', '.join(unknown)}, which `load_student` does not build, since it could run code. "
            "Save it with skops itself, and review these types when you load it."
        )
    with whole_file(path) as draft:
        draft.write_bytes(content)
    return path


def load_student(path: Path | str, *, network: Any = None, output: Callable[[Any], Any] | None = None, teacher: Any = None) -> Any:
    """Read a student that `save_student` wrote; nothing in the file is executed.

    Args:
        path: the file, with its suffix; or a folder that `tutelage distill` or `tutelage train` wrote.
        network: a function that builds the network, for a file that holds weights alone; of a `TorchClassifier` or a `TorchRegressor` the
            function, or the network, that it was made with, as a `functools.partial` if it had arguments that are no plain values.
        output: as for `TorchStudent`, for a student that had one.
        teacher: of a saved `Cascade`, the teacher that it was calibrated with; without it the cascade answers what its student is sure of,
            and raises BadInput for other rows.

    Returns:
        The student, or the cascade. Of a network that was built by `network`, the layers, their settings and the weights are compared with
        the file.

    Raises:
        DamagedFile: not such a file, or one that was damaged or tampered with. StaleCache: a file of another version of the format.
        BadInput: `network`, `output` or `teacher` is missing, not needed, or builds another network; a folder without a student.
            LabelMismatch: another teacher. MissingExtra: a network, without torch.

    Warns:
        UserWarning: the code, a hook or a setting of the network that `network` builds has changed since it was saved.

    Example: see `save_student`.

        >>> import tutelage as tl
        >>> tl.load_student("missing.skops")
        Traceback (most recent call last):
            ...
        tutelage.core.errors.DamagedFile: missing.skops cannot be read (No such file or directory). ...
    """
    path = checked_path("path", path)
    if path.is_dir():
        path = student_file(path, read_trained(path)["file"])
    if suffix_of(path) == ".safetensors":
        _refuse_teacher(path, teacher)
        require("torch")
        from tutelage.students.saved.networks import load_network

        return load_network(path, network, output)
    if output is not None:
        raise BadInput(f"{path} is no file of a network (.safetensors); leave output= out.")
    student, about = _load_estimator(path)
    student = _completed(student, path, network)
    if _CASCADE in about:
        return stored_cascade(student, about[_CASCADE], teacher, path)
    _refuse_teacher(path, teacher)
    return student


def _refuse_teacher(path: Path, teacher: Any) -> None:
    if teacher is not None:
        raise BadInput(f"{path} holds a student and no cascade; leave teacher= out, or calibrate it: tl.Cascade(student, teacher).fit(X).")


def loaded_student(path: Path, module: Any = None, *, if_needed: bool = False) -> Any:
    """The student of a .skops file, as `load_student` reads it.

    Args:
        path: the file.
        module: builds its torch network.
        if_needed: whether a module may be given where the file describes the layers itself; otherwise that is an error.

    Raises:
        as `load_student`.
    """
    return _completed(_load_estimator(path)[0], path, module, if_needed=if_needed)


def student_without_code(path: Path) -> Any:
    """The student of a .skops file, whose networks of the user's own code are left unbuilt: it says what its rows and answers are.

    Raises:
        as `load_student`.
    """
    return _load_estimator(path)[0]


def needs_network(path: Path) -> bool:
    """Whether `load_student` needs a function that builds the network of a student in a .skops file.

    Raises:
        as `load_student`.
    """
    return bool(_incomplete(_load_estimator(path)[0]))


def _incomplete(student: Any) -> list[OwnCode]:
    """The networks of the user's own code in a student just loaded, which has the weights alone."""
    return [one for one in instances_in(student, OwnCode) if one.needs_code]


def _completed(student: Any, path: Path, module: Any, *, if_needed: bool = False) -> Any:
    incomplete = _incomplete(student)
    if module is not None and not incomplete and not if_needed:
        raise BadInput(f"{path} holds no network whose layers it does not describe; leave network= out.")
    for one in incomplete:
        one.fill(path, module)
    return student


def _with_suffix(path: Path | str, suffix: str) -> Path:
    path = checked_path("path", path)
    if path.suffix in (".skops", ".safetensors") and path.suffix != suffix:
        raise BadInput(f"{path} ends in {path.suffix}, and this student is stored as {suffix}; change the suffix, or leave it out.")
    return path if path.suffix == suffix else path.with_name(path.name + suffix)  # not Path.with_suffix: a name may hold a dot


def _load_estimator(path: Path) -> tuple[Any, dict[str, Any]]:
    """The estimator of a .skops file, and what is stored about it."""
    with reading_skops(path, OURS, AGAIN):
        archive = read_skops(path)
        if archive.about is None:
            raise ValueError("another program wrote it")
        check_schema(path, archive.about)
        try:
            student = skops_io().loads(archive.content, trusted=TRUSTED)
        except DamagedFile as error:
            raise DamagedFile(f"{path}: {error} Do not use it.") from error
        sound = all(map(sound_tree, trees_in(student)))
    if not sound:
        raise DamagedFile(f"{path} holds a tree whose nodes point outside it; it was damaged or tampered with. Do not use it.")
    return student, archive.about
