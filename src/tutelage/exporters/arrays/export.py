"""Writes a network of several inputs, or whose answers have positions, as an ONNX file once it is proven to answer as the student."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import BadInput, require
from tutelage.core.records import Export, Parity
from tutelage.core.stored.checksums import onnx_with_checksum
from tutelage.data.rows import as_rows
from tutelage.data.structures.structured import StructuredRows
from tutelage.exporters.arrays.graph import model_of
from tutelage.exporters.arrays.proof import check_rows, proof_of
from tutelage.exporters.targets.job import Settings
from tutelage.students.cascade import Cascade
from tutelage.teachers.adapters.onnx_metadata import PRODUCER, FileDescription


def takes_arrays(student: Any, check_on: Any) -> bool:
    """Whether a student is a network of several inputs, or one whose answers have positions.

    Raises:
        BadInput: such a network is the student of a cascade.
    """
    if isinstance(student, Cascade) and takes_arrays(student.student, check_on):
        raise BadInput(
            "the student of this cascade is a network of several inputs, whose file has no threshold; export the student alone, and ask "
            "the cascade in Python, or fit a Cascade with that file as its student."
        )
    if not hasattr(student, "network"):
        return False
    if getattr(getattr(student, "form", None), "positions", None) is not None:
        return True
    rows = as_rows(check_on)
    return rows.kind == "structure" or isinstance(rows.part(0, 1), StructuredRows)


def written(
    student: Any, name: str, check_on: Any, settings: Settings, *, unproven: bool, compared_rows: int | None
) -> tuple[bytes, Export]:
    """The content of the file, and the record of it.

    Args:
        student: a TorchStudent.
        name: of the file.
        check_on: rows to compare on.
        settings: of the export.
        unproven: whether it is written without a comparison.
        compared_rows: how many rows are compared.

    Raises:
        BadInput: another target than ONNX, a setting that it does not have, or a network without a form. ParityError: the file differs.
            MissingExtra: onnx or onnxruntime is not installed.
    """
    require("onnx")
    if not name.endswith(".onnx"):
        raise BadInput(f"a network of several inputs, or with an answer for each token or pixel, is exported as .onnx only; {name} is not.")
    if settings.precision is not None or settings.target_opset is not None:
        raise BadInput("precision= and target_opset= are for networks of one input with one answer per row; leave them out.")
    if student.form is None:
        raise BadInput("the network cannot be exported: what its answers mean is unknown. Fit the student, or pass classes= to it.")
    form = student.form if student.form.task == "regression" else student.form.as_kind("probabilities")
    rows = check_rows(student, check_on)
    model = model_of(student.network, student.output, form, rows)
    content = _described(model, form, ["Not compared yet."], ())
    proofs = () if unproven else (proof_of(content, student, form, rows, compared_rows),)
    header = ["ONNX, written by tutelage.", *(map(str, proofs) if proofs else ["Not proven: it was never compared with its student."])]
    content = _described(model, form, header, proofs)
    columns = tuple(one.name for one in model.graph.input)
    digest = hashlib.sha256(content).hexdigest()
    return content, Export(name, "ONNX", len(content), digest, columns, form.classes, proofs, (), None)


def _described(model: Any, form: AnswerForm, header: list[str], proofs: tuple[Parity, ...]) -> bytes:
    """The model with what it says of itself."""
    model.producer_name, model.producer_version = PRODUCER, ""
    model.doc_string = "\n".join(header)
    del model.metadata_props[:]
    parity = {"parity": json.dumps(asdict(proofs[0]))} if proofs else {}
    for key, value in {**FileDescription(form, None).to_metadata(), **parity}.items():
        model.metadata_props.add(key=key, value=value)
    return onnx_with_checksum(model)
