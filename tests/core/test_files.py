import os
import subprocess
import sys

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.files import check_file_place, check_place, recover_folder, whole_file, whole_folder, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_a_folder_appear_when_they_are_complete(tmp_path):
    write_text(tmp_path / "deep" / "note.txt", "é")
    with whole_folder(tmp_path / "run") as draft:
        (draft / "inside").mkdir()
        (draft / "inside" / "x").write_text("1")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "deep" / "note.txt").read_text(encoding="utf-8") == "é"
    assert (tmp_path / "run" / "inside" / "x").read_text() == "1"
    assert names(tmp_path) == ["deep", "run"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_preserves_the_old_file_and_leaves_no_draft(error, tmp_path):
    (tmp_path / "note").write_text("old")
    with pytest.raises(error), whole_file(tmp_path / "note") as draft:
        draft.write_text("half")
        raise error
    assert (tmp_path / "note").read_text() == "old"
    assert names(tmp_path) == ["note"]


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
    with pytest.raises(CannotWrite, match="No space left"), whole_folder(tmp_path / "run", may_replace=lambda _: True):
        pass
    assert names(tmp_path / "run") == ["old"]


def test_existing_files_are_not_replaced(tmp_path):
    (tmp_path / "thesis").write_text("")
    with pytest.raises(CannotWrite, match="already holds other files"):
        check_place(tmp_path)
    with pytest.raises(CannotWrite, match="is a file, but a folder"):
        check_place(tmp_path / "thesis")
    with pytest.raises(CannotWrite, match="is a folder, but a file"):
        check_file_place(tmp_path)
    with pytest.raises(CannotWrite, match="cannot be written"):
        check_file_place(tmp_path / "thesis" / "below")
    assert names(tmp_path) == ["thesis"]


def test_checking_that_a_path_can_be_written_creates_nothing(tmp_path):
    check_place(tmp_path / "deep" / "down" / "run")
    check_file_place(tmp_path / "deep" / "results.json")
    assert names(tmp_path) == []


def test_old_drafts_of_killed_processes_are_removed_and_recent_ones_are_not(tmp_path):
    stale, recent, others = (tmp_path / name for name in (".run.draft-stale", ".run.draft-recent", ".other.draft-stale"))
    for draft in (stale, recent, others):
        draft.mkdir()
        (draft / "half").write_text("")
    for draft in (stale, others):
        os.utime(draft, (0, 0))
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == [".other.draft-stale", ".run.draft-recent", "run"]


@pytest.mark.parametrize(("mask", "file", "folder"), [(0o022, 0o644, 0o755), (0o002, 0o664, 0o775), (0o077, 0o600, 0o700)])
def test_new_files_and_folders_follow_the_umask(mask, file, folder, tmp_path):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "note", "")
        with whole_folder(tmp_path / "run") as draft:
            write_text(draft / "inside", "")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "note", tmp_path / "run" / "inside", tmp_path / "run")]
    assert modes == [file, file, folder]


KILLED = """
import os, sys
from pathlib import Path
from tutelage.core.files import whole_folder
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
        with whole_folder(target, may_replace=lambda folder: names(folder) == [found]) as draft:
            (draft / "next").write_text("")
        assert names(target) == ["next"]
    assert [name for name in names(tmp_path) if "draft" not in name] == ["run"]


RACING = """
import sys, time
from pathlib import Path
from tutelage.core.files import whole_folder
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


def test_what_another_process_wrote_meanwhile_is_not_lost(tmp_path):
    with pytest.raises(CannotWrite, match="already holds other files"), whole_folder(tmp_path / "run") as draft:
        (draft / "ours").write_text("")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "theirs").write_text("")
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["theirs"]
