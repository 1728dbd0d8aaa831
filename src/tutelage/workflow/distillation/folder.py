"""The folder of a distillation: what it is made from, what is done so far, and the results.

run/
    plan.json          what the run is made from; another call goes on only with the same. How the errors of several values are measured
                       follows once the teacher is asked, which may be the first to tell how many there are
    work/              answers of the teacher, trials, students of each seed: what a stopped run resumes from
    split.parquet      which of the rows were for what, by their numbers and names
    students/          the students of every arm and seed
    run.json, student.skops      the chosen student, as `tutelage train` writes it
    results.json, report.html    the record, and the page that shows it
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.errors import BadInput, CannotWrite, DamagedFile
from tutelage.core.file_systems.locks import locked
from tutelage.core.file_systems.places import check_place, is_empty
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import read_json, sha256_of, with_checksum
from tutelage.students.saved.trained_folder import SPLIT

PLAN = "plan.json"
VERSIONS = "work/versions.json"
PREFLIGHT = "work/preflight.json"
SPENT = "work/seconds.json"
TRIALS = "work/trials"
ERRORS = "errors"
"""Where plan.json says how the errors of several values are measured."""
SCHEMA = 1
REMEDY = "Delete the folder, and run it again."


@dataclass(frozen=True)
class RunFolder:
    """The folder of one distillation.

    Attributes:
        path: the folder.
    """

    path: Path

    def check(self) -> None:
        """Check, before any work, that the folder can be written.

        Raises:
            CannotWrite: it holds other files, or cannot be written.
        """
        check_place(self.path, may_replace=_is_ours)

    @contextmanager
    def opened(self, plan: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder, and store what the run is made from. A run that ends before anything else is stored leaves no folder behind.

        Raises:
            BadInput: the folder holds a run that was made from something else. CannotWrite: another process works in it.
        """
        missing = [place for place in (self.path, *self.path.parents) if not place.exists()]
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self.path))
            except BlockingIOError as error:
                raise CannotWrite(f"another process works in {self.path}; wait until it has finished, or choose another folder.") from error
            except OSError as error:
                raise CannotWrite(f"{self.path} cannot be written ({error.strerror or error}); choose another folder.") from error
            self._take(json.loads(dumps(plan)))
            try:
                yield
            except BaseException:
                self._remove_unused(missing)
                raise

    def _take(self, plan: Mapping[str, Any]) -> None:
        if not (self.path / PLAN).exists():
            self.write(PLAN, {"made_from": plan})
            return
        stored = self.read(PLAN)["made_from"]
        changed = sorted(name for name in {*stored, *plan} - {ERRORS} if stored.get(name) != plan.get(name))
        changed = [name for name in changed if name != "split"] or changed  # it follows from the others
        if changed == ["split"]:
            raise BadInput(
                f"{self.path} holds a run of another version of tutelage, which may have split the same rows otherwise: students of both "
                "would be compared as one; go on with that version, choose another folder, or delete it."
            )
        if changed:
            others = [_other_columns(stored.get(name), plan.get(name)) or _OTHERS.get(name, f"another {name}") for name in changed]
            raise BadInput(
                f"{self.path} holds a run with {' and '.join(dict.fromkeys(others))}; "
                "pass what it was started with, choose another folder, or delete it."
            )

    def settle_units(self) -> None:
        """Store that the errors of several values are measured in units of the variance of each.

        Raises:
            BadInput: the folder holds figures of an earlier version, which measured them as they were.
        """
        stored = self.read(PLAN)["made_from"]
        if ERRORS in stored:
            return
        if any((self.path / TRIALS).glob("*.json")):
            raise BadInput(
                f"{self.path} was begun by an earlier version of tutelage that measured the squared errors of several values as they are; "
                "this one measures each in units of its variance, and figures of both would be compared as one. Remove the folder, or name "
                "another."
            )
        self.write(PLAN, {"made_from": {**stored, ERRORS: "in units of each value's variance"}})

    def check_versions(self, versions: Mapping[str, str]) -> None:
        """Store the versions that the first part of the run is made with; the rest of it is made with the same.

        Raises:
            BadInput: it was started with others.
        """
        if not self.has(VERSIONS):
            self.write(VERSIONS, {"versions": versions})
            return
        stored = self.read(VERSIONS)["versions"]
        changed = sorted(name for name in {*stored, *versions} if stored.get(name) != versions.get(name))
        if changed:
            were, now = ([f"{name} {one.get(name, '(none)')}" for name in changed] for one in (stored, versions))
            raise BadInput(
                f"{self.path} holds a run that was started with {' and '.join(were)}, and this is {' and '.join(now)}: students of both "
                "would be compared as one; go on with the versions it was started with, choose another folder, or delete it."
            )

    def _remove_unused(self, missing: Sequence[Path]) -> None:
        """Remove a folder that holds nothing that took long, and the empty folders around it that did not exist before."""
        found = [path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if not path.is_dir()]
        if set(found) <= {PLAN, VERSIONS, SPLIT, PREFLIGHT, SPENT}:
            for name in found:
                (self.path / name).unlink(missing_ok=True)
            inside = sorted((path for path in self.path.rglob("*") if path.is_dir()), reverse=True)
            with suppress(OSError):  # something else is there by now
                for place in (*inside, *missing):
                    place.rmdir()

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Write a JSON file, whole and with a checksum."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, dumps(with_checksum({"schema": SCHEMA, **values})))

    def read(self, name: str) -> dict[str, Any]:
        """Read what `write` wrote.

        Raises:
            DamagedFile: it was changed.
        """
        return read_json(self.path / name, schema=SCHEMA, remedy=REMEDY)

    def has(self, name: str) -> bool:
        """Whether a file exists."""
        return (self.path / name).exists()

    def check_file(self, name: str, sha256: str) -> Path:
        """The path of a file with this content.

        Raises:
            DamagedFile: it is missing or has another.
        """
        path = self.path / name
        if not path.is_file() or sha256_of(path) != sha256:
            raise DamagedFile(f"{path} is damaged or missing: its SHA-256 differs from the one recorded. {REMEDY}")
        return path


def file_name(*words: Any) -> str:
    """A name for a file: each of the words in lower case, its parts joined by hyphens; "_" between them.

    Example:
        >>> file_name("answers, more rows", "tree", 0)
        'answers-more-rows_tree_0'
    """
    return "_".join("-".join("".join(sign if sign.isalnum() else " " for sign in str(word).lower()).split()) for word in words)


def _other_columns(stored: Any, now: Any) -> str:
    """How the columns of two sets of rows differ, in words; "" if they do not, or are not known."""
    were, are = (one.get("columns") if isinstance(one, dict) else None for one in (stored, now))
    if not were or not are or were == are:
        return ""
    more, fewer = ([repr(name) for name in some if name not in others] for some, others in ((were, are), (are, were)))
    parts = [*([f"with {', '.join(more)}"] if more else []), *([f"without {', '.join(fewer)}"] if fewer else [])]
    return f"other columns ({' and '.join(parts) or 'in another order'})"


def _is_ours(folder: Path) -> bool:
    return is_empty(folder) or (folder / PLAN).is_file()


_OTHERS = {
    "rows": "other rows or another ground truth",
    "test_rows": "other test rows",
    "validation_rows": "other rows to validate on",
    "training_rows": "other rows that the teacher was trained on",
    "pool": "another pool",
    "students": "other students or settings that are searched",
    "class_weight": "other weights of classes",
    "limits": "other limits",
    "number_of_trials": "another number of trials",
    "first_export": "another first export, whose size and latency count",
    "cascade": "another rate of a cascade",
}
"""What differs from the stored run, in words, by its name in the plan."""
