"""reproduce.sh: the command that made a folder, after its inputs are compared with those that it had."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from tutelage.core.environment import PACKAGES, environment
from tutelage.core.file_systems.whole_files import whole_file
from tutelage.core.stored.checksums import sha256_of
from tutelage.workflow.distillation.folder import RunFolder

SCRIPT = "reproduce.sh"

_TEXT = """#!/bin/sh
# The command that made this folder. It makes the same results again in another folder: its argument, or the one that is named below.
# Start it where the paths below start: the folder that the command was given in. The inputs have to be those of the run: their SHA-256 is
# compared first. The versions of the run, on Python {python} ({machine}):
#   pip install {requirements}
set -eu
{check}if [ -n "${{1:-}}" ]; then out=$1; else out={again}; fi
tutelage distill {arguments} --settings /dev/null --out "$out"
"""
_CHECK = """check() {{ if command -v sha256sum > /dev/null; then sha256sum --check --quiet; else shasum -a 256 --check --quiet; fi; }}
check << 'INPUTS'
{checksums}
INPUTS
"""


def write_reproduce(folder: RunFolder, arguments: Sequence[str], inputs: Sequence[Path]) -> None:
    """Write reproduce.sh.

    Args:
        folder: of the run.
        arguments: of `tutelage distill`, without --out.
        inputs: the files that it reads.
    """
    path = folder.path / SCRIPT
    text = script(arguments, _checksums(inputs), environment(), again=f"{folder.path.name or 'run'}-again")
    with whole_file(path) as draft:
        draft.write_bytes(text.encode("utf-8", "surrogateescape"))  # names of files may be no texts
    path.chmod(path.stat().st_mode | 0o111)


def script(arguments: Sequence[str], checksums: Mapping[Path, str], versions: Mapping[str, str], *, again: str) -> str:
    """The text of reproduce.sh.

    Args:
        arguments: of `tutelage distill`, without --out.
        checksums: the SHA-256 of each input.
        versions: from `environment`.
        again: the folder that it writes by default.
    """
    lines = [_line(path, digest) for path, digest in checksums.items()]
    return _TEXT.format(
        again=shlex.quote(again),
        python=versions["python"],
        machine=versions["machine"],
        requirements=" ".join(f"{name}=={versions[name].partition('+')[0]}" for name in PACKAGES if name in versions),
        check=_CHECK.format(checksums="\n".join(lines)) if lines else "",
        arguments=" ".join(map(shlex.quote, arguments)),
    )


def _line(path: Path, digest: str) -> str:
    """A line as sha256sum reads it: a name with a line break or a backslash is written with escapes, and a backslash begins the line."""
    name = str(path)
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{digest}  {name}" if escaped == name else f"\\{digest}  {escaped}"


def _checksums(inputs: Sequence[Path]) -> dict[Path, str]:
    """Of the files among the inputs; of a folder, such as recorded answers, those of its files."""
    files = [file for path in inputs for file in ([path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else [])]
    return {file: sha256_of(file) for file in files if file.is_file()}
