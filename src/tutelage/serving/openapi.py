"""What a server says of itself: its OpenAPI document, with an example of a made row that it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage import __version__
from tutelage.evaluation.deployed.drift import Bins, Profile
from tutelage.serving.answers import UNANSWERED, AnswersAsJson
from tutelage.serving.model import ServedFile
from tutelage.serving.problems import MEDIA_TYPE, SCHEMA
from tutelage.serving.row_format import Kind, Requests, RowFormat
from tutelage.serving.settings import Settings

ONE, SEVERAL, HEALTH, METRICS, DOCUMENT, PAGE = "/v1/answer", "/v1/answers", "/health", "/metrics", "/openapi.json", "/docs"
OPEN = (HEALTH, PAGE)
"""What needs no token: neither says anything of rows, columns or traffic."""
_CELLS: dict[Kind, Any] = {"number": 1.0, "boolean": True, "date": "2026-03-01", "duration": "1 days 00:00:00", "text": "a text"}
_PROBLEMS = {
    401: "The bearer token is missing or wrong.",
    413: "The body is too large.",
    422: "The body is no JSON, or its rows are not as described.",
    502: "The teacher failed to answer.",
    503: "No room at the moment; try again after the seconds of Retry-After.",
    504: "The teacher did not answer in time.",
}


def example_row(rows_as: RowFormat, profile: Profile | None) -> Any:
    """A made row: numbers in the middle of those that were recorded, categories that the student knows, and else no cell of a real row.

    Args:
        rows_as: how a row looks.
        profile: of the recorded rows.
    """
    if rows_as.layout == "inputs":
        return {one.name: one.example() for one in rows_as.arrays}
    if rows_as.layout == "array":
        zeros: Any = np.zeros(rows_as.shape).tolist()
        return zeros
    if rows_as.layout == "text":
        return _CELLS["text"]
    recorded: Mapping[str, Bins] = {} if profile is None else {one.name: one for one in profile.columns}
    whole = rows_as.dtype == "int64"
    cells = [_cell(kind, recorded.get(name), whole=whole) for name, kind in zip(rows_as.names, rows_as.kinds, strict=True)]
    for place, levels in rows_as.levels.items():
        cells[place] = next((level for level in levels if level), cells[place])
    return dict(zip(rows_as.names, cells, strict=True)) if rows_as.layout == "named" else cells


def _cell(kind: Kind, recorded: Bins | None, *, whole: bool) -> Any:
    if kind in ("boolean", "text") or recorded is None or not recorded.edges:
        return 1 if whole and kind == "number" else _CELLS[kind]
    middle = recorded.edges[len(recorded.edges) // 2]
    if kind == "number":
        return round(middle) if whole else float(f"{middle:.3g}")
    if kind == "date":
        return str(np.datetime64("1970-01-01") + np.timedelta64(int(middle), "D"))
    return f"{int(middle)} days 00:00:00"


def document(
    served: ServedFile, requests: Requests, as_json: AnswersAsJson, settings: Settings, example: Any, answer: Any, *, outputs: int
) -> dict[str, Any]:
    """The OpenAPI document.

    Args:
        served: the file.
        requests: what parses bodies.
        as_json: what renders answers.
        settings: of the server.
        example: from `example_row`.
        answer: to the example, as JSON; None if it is not finite.
        outputs: number of probabilities or values of an answer.
    """
    schemas = _schemas(requests)
    schemas["Answer"] = as_json.schema(outputs)
    schemas["Answers"] = {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": _one_of_several(as_json.defers)}},
        "required": ["answers"],
    }
    schemas["Problem"] = SCHEMA
    if as_json.defers:
        schemas["Unanswered"] = UNANSWERED
    one = _operation("answer", "The answer to one row.", "OneRow", example, "Answer", answer, settings, teacher=as_json.defers)
    several = _operation(
        "answers",
        f"The answers to 1 to {settings.max_rows:,} rows, in their order.",
        "Rows",
        {"rows": [example]},
        "Answers",
        None if answer is None else {"answers": [answer]},
        settings,
        teacher=as_json.defers,
    )
    open_to_all: dict[str, Any] = {} if settings.token is None else {"security": []}
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": f"tutelage: {served.path.name}", "version": __version__, "description": description(served)},
        "paths": {
            ONE: {"post": one},
            SEVERAL: {"post": several},
            HEALTH: {
                "get": {**_plain("health", "Whether the server is ready, and which file it serves.", "application/json"), **open_to_all}
            },
            METRICS: {"get": _guarded(_plain("metrics", "Figures for Prometheus.", "text/plain"), settings)},
        },
        "components": {"schemas": schemas},
    }
    if settings.token is not None:
        found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{"token": []}]
    return found


def _one_of_several(defers: bool) -> dict[str, Any]:
    names = ["Answer", "Unanswered"] if defers else ["Answer"]
    found = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return {"anyOf": found} if defers else found[0]


def description(served: ServedFile) -> str:
    """How rows are read, in sentences."""
    lines = [f"The student of {served.path.name} (SHA-256 {served.sha256[:12]}...). A row is {served.rows_as.described()}."]
    if served.rows_as.layout in ("named", "listed"):
        lines.append("Every column must be there; a missing cell is null. Numbers are numbers, not texts.")
    if served.rows_as.layout == "inputs":
        lines.append("Every input must be there. Rows may have different lengths; those of one row agree.")
    if "text" in served.rows_as.kinds:
        lines.append("A missing text and an empty one are the same.")
    if {"date", "duration"} & set(served.rows_as.kinds):
        lines.append(
            'Dates are texts such as "2026-03-01" or "2026-03-01T12:30:00Z", in UTC without a zone; durations such as "1 days 02:00:00".'
        )
    if served.guarantee is not None:
        said = served.guarantee
        of = "the student's own answers" if said.get("over") == "student" else "all answers"
        right = "right" if said.get("against") == "truth" else "those of the teacher"
        lines.append(
            f"Rows of a confidence below {said['threshold']:.6g} are left to the teacher: with probability "
            f"{100 * (1 - said['delta']):g} %, at least {100 * said['target']:g} % of {of} are {right}, on rows like those it was "
            "calibrated on."
        )
    return " ".join(lines)


def _schemas(requests: Requests) -> dict[str, Any]:
    template = "#/components/schemas/{model}"
    row, rows = requests.one.json_schema(ref_template=template), requests.many.json_schema(ref_template=template)
    found: dict[str, Any] = {**row.pop("$defs", {}), **rows.pop("$defs", {})}
    found |= {"OneRow": row, "Rows": rows}
    return found


def _operation(
    name: str, summary: str, takes: str, example: Any, gives: str, answer: Any, settings: Settings, *, teacher: bool
) -> dict[str, Any]:
    body = {"application/json": {"schema": {"$ref": f"#/components/schemas/{takes}"}, "example": example}}
    shown = {} if answer is None else {"example": answer}
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{gives}"}, **shown}}
    statuses = [status for status in (413, 422, 502, 503, 504) if status not in (502, 504) or (teacher and takes == "OneRow")]
    found = {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": summary, "content": content}, **{str(status): _problem(status) for status in statuses}},
    }
    return _guarded(found, settings)


def _plain(name: str, summary: str, media_type: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": {media_type: {"schema": {"type": "object" if "json" in media_type else "string"}}}}
        },
    }


def _guarded(operation: dict[str, Any], settings: Settings) -> dict[str, Any]:
    if settings.token is not None:
        operation["responses"]["401"] = _problem(401)
    return operation


def _problem(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    headers = {401: "WWW-Authenticate", 503: "Retry-After"}
    if status in headers:
        found["headers"] = {headers[status]: {"schema": {"type": "string"}}}
    return found


def as_text(plain: Mapping[str, Any]) -> bytes:
    """A document as JSON."""
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "surrogatepass")
