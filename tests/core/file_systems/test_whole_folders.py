import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.places import check_place
from tutelage.core.file_systems.whole_folders import check_whole_folder, recover_folder, whole_folder

A, B = "0123456789abcdef", "f" * 16


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_preserves_the_old_folder_and_leaves_no_draft(error, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("")
    with pytest.raises(error), whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
        (draft / "half").write_text("")
        raise error
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["old"]


def test_a_replaced_folder_contains_only_the_new_files(tmp_path):
    for name in ("first", "second"):
        with whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
            (draft / name).write_text("")
    assert names(tmp_path / "run") == ["second"]
    assert names(tmp_path) == ["run"]


def test_the_old_folder_is_restored_when_it_cannot_be_replaced(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("")
    replace = type(tmp_path).replace

    def fails(self, target):
        if ".draft-" in self.name:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", fails)
    with pytest.raises(CannotWrite, match="No space left") as raised, whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
        (draft / "new").write_text("")
    assert names(tmp_path / "run") == ["old"]
    assert names(left_at(raised)) == ["new"]


def left_at(raised):
    return Path(re.search(r"The finished folder was left at (.+)\.$", str(raised.value))[1])


def test_old_drafts_of_killed_processes_are_removed_and_recent_ones_are_not(tmp_path):
    stale, recent, other, of_user = (f".{name}" for name in (f"run.draft-{A}", f"run.draft-{B}", f"other.draft-{A}", "run.draft-2024"))
    for name in (stale, recent, other, of_user):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_text("")
        if name != recent:
            os.utime(tmp_path / name, (0, 0))
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == sorted([recent, other, of_user, "run"])


KILLED = """
import os, sys
from pathlib import Path
from tutelage.core.file_systems.whole_folders import whole_folder
target, last = Path(sys.argv[1]), int(sys.argv[2])
replace, done = Path.replace, 0
def counted(self, other):
    global done
    if done == last:
        os._exit(9)
    done += 1
    return replace(self, other)
Path.replace = counted
with whole_folder(target, may_replace=lambda _: True) as draft:
    (draft / "new").write_text("")
"""


@pytest.mark.parametrize(("renames", "found"), [(0, "old"), (1, "old"), (2, "new")])
@pytest.mark.parametrize("recovered_by", ["reading", "writing"])
def test_a_kill_between_two_renames_leaves_a_finished_folder(renames, found, recovered_by, tmp_path):
    target = tmp_path / "run"
    target.mkdir()
    (target / "old").write_text("")
    assert subprocess.run([sys.executable, "-c", KILLED, target, str(renames)], check=False).returncode == 9
    if recovered_by == "reading":
        recover_folder(target)
        assert names(target) == [found]
    else:
        with whole_folder(target, may_replace=lambda folder: len(names(folder)) == 1) as draft:
            (draft / "next").write_text("")
        assert names(target) == ["next"]
        assert [name for name in names(tmp_path) if "draft" not in name] == ["run"]


RACING = """
import sys, time
from pathlib import Path
from tutelage.core.file_systems.whole_folders import whole_folder
while not Path("start").exists():
    time.sleep(0.001)
for turn in range(40):
    with whole_folder(Path(f"run-{turn}"), may_replace=lambda _: True) as draft:
        for part in "ab":
            (draft / part).write_text(sys.argv[1])
"""


def test_several_processes_that_write_the_same_folders_all_succeed(tmp_path):
    commands = [[sys.executable, "-c", RACING, number] for number in "123"]
    processes = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for command in commands]
    (tmp_path / "start").write_text("")
    complaints = [process.communicate()[1] for process in processes]
    assert complaints == [""] * 3
    for turn in range(40):
        folder = tmp_path / f"run-{turn}"
        assert names(folder) == ["a", "b"]
        assert (folder / "a").read_text() == (folder / "b").read_text()
    assert len(names(tmp_path)) == 41


def test_what_another_process_wrote_meanwhile_is_not_lost_and_neither_is_what_was_finished(tmp_path):
    with pytest.raises(CannotWrite, match="already holds other files") as raised, whole_folder(tmp_path / "run") as draft:
        (draft / "ours").write_text("")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "theirs").write_text("")
    assert names(tmp_path / "run") == ["theirs"]
    finished = left_at(raised)
    assert names(finished) == ["ours"]
    assert names(tmp_path) == ["run", finished.name]
    os.utime(finished, (0, 0))
    with whole_folder(tmp_path / "run", may_replace=lambda _: True):
        pass
    assert names(finished) == ["ours"]


@pytest.mark.parametrize("exists", [True, False])
def test_folders_of_the_user_are_never_taken_for_left_behind_ones(exists, tmp_path):
    target = tmp_path / "run"
    mine = [".run.old-2024", ".run.done-archive", f".run.old-{A}x", f".run.done-{A.upper()}", f".run!.old-{A}"]
    for name in mine + ["run"] * exists:
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("")
    (tmp_path / f".run.old-{A}").symlink_to(tmp_path / mine[0])
    recover_folder(target)
    with whole_folder(target, may_replace=lambda _: True):
        pass
    assert names(tmp_path) == sorted([*mine, f".run.old-{A}", "run"])
    assert all(names(tmp_path / name) == ["x"] for name in mine)


def test_reading_a_folder_removes_nothing(tmp_path):
    for name in ("run", f".run.old-{A}", f".run.done-{B}"):
        (tmp_path / name).mkdir()
    before = names(tmp_path)
    recover_folder(tmp_path / "run")
    check_whole_folder(tmp_path / "run")
    assert names(tmp_path) == before
    (tmp_path / "run").rmdir()
    recover_folder(tmp_path / "run")
    assert names(tmp_path) == [f".run.old-{A}", "run"]


def test_only_left_behind_folders_that_may_be_replaced_are_removed(tmp_path):
    for name in (f".run.old-{A}", f".run.old-{B}", "run"):
        (tmp_path / name).mkdir()
    (tmp_path / f".run.old-{A}" / "thesis").write_text("")
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == [f".run.old-{A}", "run"]


@pytest.mark.parametrize("path", [".", "..", "../..", "../below", "./"])
def test_the_current_folder_and_those_above_are_not_replaced(path, tmp_path, monkeypatch):
    (tmp_path / "deep" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "below")
    for attempt in (lambda: check_whole_folder(Path(path), may_replace=lambda _: True), lambda: whole_folder(Path(path)).__enter__()):
        with pytest.raises(CannotWrite, match=r"the current folder, which cannot be replaced|already holds other files"):
            attempt()
    recover_folder(Path(path))
    check_place(Path(path), may_replace=lambda _: True)  # files may be written into it
    with pytest.raises(CannotWrite, match="is the root of a file system"):
        check_whole_folder(Path("/"), may_replace=lambda _: True)
