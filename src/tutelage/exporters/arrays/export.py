"""Writes a network of several inputs, or whose answers have positions, as an ONNX file once it is proven to answer as the student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

from tutelage.core.errors import BadInput, require
from tutelage.core.records import Export, Parity
from tutelage.core.stored.checksums import onnx_with_checksum
from tutelage.data.structures.network_answers import IDS, pad_token_of
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.arrays.graph import model_of
from tutelage.exporters.arrays.proof import COMPARISONS, ROWS, proof_of
from tutelage.exporters.arrays.subject import ArraysSubject, subject_of_arrays
from tutelage.exporters.subject.threshold import about_threshold
from tutelage.exporters.targets.job import Settings
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription

LONG_NUMBER = 1.2345678901234567e-16
"""As many digits as a number of a record has."""


def written(
    student: Any, name: str, check_on: Any, settings: Settings, *, unproven: bool, compared_rows: int | None
) -> tuple[bytes, Export]:
    """The content of the file, and the record of it.

    Args:
        student: as `subject_of_arrays` takes it.
        name: of the file.
        check_on: rows to compare on.
        settings: of the export.
        unproven: whether it is written without a comparison, if onnxruntime is not installed.
        compared_rows: how many rows are compared.

    Raises:
        BadInput: another target than ONNX, a setting that it does not have, or a network without a form. ParityError: the file differs.
            MissingExtra: onnx or onnxruntime is not installed.
    """
    _check_target(name, settings)
    subject = subject_of_arrays(student)
    form, rows = subject.form, subject.rows(check_on)
    model = model_of(subject.network, subject.output, form, rows, subject.threshold)
    described, about = _description(subject, rows), about_threshold(subject.guarantee)
    content = _described(model, described, (), about)
    proofs = () if unproven and find_spec("onnxruntime") is None else (proof_of(content, subject, rows, compared_rows),)
    content = _described(model, described, proofs, about)
    columns = tuple(one.name for one in model.graph.input)
    digest = hashlib.sha256(content).hexdigest()
    return content, Export(name, "ONNX", len(content), digest, columns, form.classes, proofs, (), described.cascade)


def unproven_content(student: Any, name: str, check_on: Any, settings: Settings, *, longest: bool) -> bytes:
    """The content of the file without a comparison.

    Args:
        student: as `subject_of_arrays` takes it.
        name: of the file.
        check_on: some rows.
        settings: of the export.
        longest: with the record of a proof, as long as they get.

    Raises:
        BadInput, MissingExtra: as `written`.
    """
    _check_target(name, settings)
    subject = subject_of_arrays(student)
    rows = subject.rows(check_on)
    model = model_of(subject.network, subject.output, subject.form, rows, subject.threshold)
    deferred = None if subject.guarantee is None else ROWS
    proof = Parity(ROWS, ROWS, LONG_NUMBER, LONG_NUMBER, 0, (), max(COMPARISONS, key=len), "-" * 30, deferrals_changed=deferred)
    return _described(model, _description(subject, rows), (proof,) if longest else (), about_threshold(subject.guarantee))


def _check_target(name: str, settings: Settings) -> None:
    """Refuse another target than ONNX, and settings that it does not have.

    Raises:
        BadInput: either. MissingExtra: onnx is not installed.
    """
    require("onnx")
    if not name.endswith(".onnx"):
        raise BadInput(f"a network of several inputs, or with an answer for each token or pixel, is exported as .onnx only; {name} is not.")
    if settings.precision is not None or settings.target_opset is not None:
        raise BadInput("precision= and target_opset= are for networks of one input with one answer per row; leave them out.")


def _pad_token_of(network: Any, rows: StructuredRows) -> int | None:
    """The token with which the ids of these rows are padded; None for rows without ids."""
    return None if rows.fields.keys().isdisjoint(IDS) else pad_token_of(network)


def _description(subject: ArraysSubject, rows: StructuredRows) -> FileDescription:
    """What the file says of itself."""
    cascade = None if subject.guarantee is None else asdict(subject.guarantee)
    return FileDescription(subject.form, None, cascade, pad_token=_pad_token_of(subject.network, rows), named=rows.named)


def _described(model: Any, description: FileDescription, proofs: tuple[Parity, ...], further: Sequence[str]) -> bytes:
    """The model with what it says of itself, in which further sentences come last."""
    proven = map(str, proofs) if proofs else ["Not proven: it was never compared with its student."]
    header = ["ONNX, written by tutelage.", *proven, *further]
    model.producer_name, model.producer_version = PRODUCER, ""
    model.doc_string = "\n".join(header)
    del model.metadata_props[:]
    parity = {"parity": json.dumps(asdict(proofs[0]))} if proofs else {}
    for key, value in {**description.to_metadata(), **parity}.items():
        model.metadata_props.add(key=key, value=value)
    return onnx_with_checksum(model)
