"""The playground as a part of a page: scripts that run by their hash alone, and data that cannot end them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, dataclass
from importlib.resources import files

from tutelage.report.playground.records import Playground
from tutelage.report.shell import NO_SCRIPTS, Drawn
from tutelage.report.words import kilobytes

PARTS = ("words", "rows", "answers", "fields", "pictures", "effects", "start")
"""The files of the script, in order."""
_EXPORTED = re.compile(r"^export (?=(?:const|function) (\w+))", flags=re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """The playground, ready to be written to a page.

    Attributes:
        script: the code that runs; false if there is none.
        data: JSON.
        why_not: why there is none, in a sentence; "" if it is there, or not asked for.
        size: what it adds to the page, such as "61.2 kB".
        student_size: the part of it that is the student.
        policy: what the page may load and run.
    """

    script: Drawn
    data: Drawn
    why_not: str
    size: str
    student_size: str
    policy: str


def section_of(playground: Playground | None) -> Section:
    """The playground of a page; None gives a page without one."""
    if playground is None or not playground.module:
        why = "" if playground is None else playground.why_not
        return Section(Drawn(""), Drawn(""), why, "", "", NO_SCRIPTS)
    student = as_function(playground.module)
    folder = files("tutelage.report.playground")
    code = "".join(folder.joinpath(f"{part}.js").read_text(encoding="utf-8") for part in PARTS)
    script = f'\n(() => {{\n"use strict";\n{student}{code}}})();\n'
    shown = {name: value for name, value in asdict(playground).items() if name not in ("module", "why_not")}
    data = in_script(shown)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return Section(
        Drawn(script),
        Drawn(data),
        "",
        kilobytes(len(script.encode()) + len(data)),
        kilobytes(len(student)),
        f"{NO_SCRIPTS}; script-src 'sha256-{hashed}'",
    )


def as_function(module: str) -> str:
    r"""The text of an ES module as a constant `student` that holds what it exports.

    Example:
        >>> print(as_function("export const classes = [1];\nconst hidden = 2;\n"), end="")
        const student = (() => {
        const classes = [1];
        const hidden = 2;
        return { classes };
        })();
    """
    names = ", ".join(_EXPORTED.findall(module))
    return f"const student = (() => {{\n{_EXPORTED.sub('', module)}return {{ {names} }};\n}})();\n"


def in_script(values: object) -> str:
    r"""JSON that no text in it can end: neither the element that holds it, nor a line.

    Example:
        >>> in_script(["</script>", "\u2028"])
        '["\\u003c/script>","\\u2028"]'
    """
    return json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
