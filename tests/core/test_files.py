import os

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.files import check_file_place, check_place, whole_file, whole_folder, write_text


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
