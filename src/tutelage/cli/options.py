"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(path_type=Path)

debug_option = click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
