"""ARCHITECTURE.md names every file, in the row of its room, and no file that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "tutelage"
ROWS = dict(re.findall(r"^\| `(\w+)/` \| (.*) \|$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), flags=re.MULTILINE))
ROOMS = sorted(path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.rglob("*.py")))


def test_it_has_a_row_for_each_room():
    assert sorted(ROWS) == ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_the_row_of_a_room_names_its_files(room):
    there = {path.name for path in (SOURCE / room).rglob("*.py")} - {"__init__.py", "__main__.py"}
    assert set(re.findall(r"`(\w+\.py)`", ROWS[room])) - {"__init__.py"} == there


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCE.rglob("*.py")}), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_folder_is_seen_at_a_glance(folder):
    assert len([path for path in folder.glob("*.py") if not path.name.startswith("__")]) <= 14
