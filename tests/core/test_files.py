import os

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.files import check_file_place, check_place, whole_file, whole_folder, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_a_folder_take_their_place_when_they_are_whole(tmp_path):
    write_text(tmp_path / "deep" / "note.txt", "é")
    with whole_folder(tmp_path / "run") as draft:
        (draft / "inside").mkdir()
        (draft / "inside" / "x").write_text("1")
        assert not (tmp_path / "run").exists()
    assert (tmp_path / "deep" / "note.txt").read_text(encoding="utf-8") == "é"
    assert (tmp_path / "run" / "inside" / "x").read_text() == "1"
    assert names(tmp_path) == ["deep", "run"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_file_leaves_the_old_one_and_no_draft(error, tmp_path):
    (tmp_path / "note").write_text("old")
    with pytest.raises(error), whole_file(tmp_path / "note") as draft:
        draft.write_text("half")
        raise error
    assert (tmp_path / "note").read_text() == "old"
    assert names(tmp_path) == ["note"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_folder_leaves_the_old_one_and_no_draft(error, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("")
    with pytest.raises(error), whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
        (draft / "half").write_text("")
        raise error
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["old"]


def test_a_replaced_folder_holds_only_the_new_files(tmp_path):
    for name in ("first", "second"):
        with whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
            (draft / name).write_text("")
    assert names(tmp_path / "run") == ["second"]
    assert names(tmp_path) == ["run"]


def test_a_folder_comes_back_when_its_successor_cannot_take_its_place(tmp_path, monkeypatch):
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


def test_other_peoples_files_are_not_replaced(tmp_path):
    (tmp_path / "thesis").write_text("")
    with pytest.raises(CannotWrite, match="already holds other files"):
        check_place(tmp_path)
    with pytest.raises(CannotWrite, match="is a file; a folder"):
        check_place(tmp_path / "thesis")
    with pytest.raises(CannotWrite, match="is a folder; a file"):
        check_file_place(tmp_path)
    with pytest.raises(CannotWrite, match="cannot be written"):
        check_file_place(tmp_path / "thesis" / "below")
    assert names(tmp_path) == ["thesis"]


def test_looking_whether_a_place_can_be_written_makes_nothing(tmp_path):
    check_place(tmp_path / "deep" / "down" / "run")
    check_file_place(tmp_path / "deep" / "results.json")
    assert names(tmp_path) == []


def test_drafts_that_a_killed_process_left_are_swept_and_live_ones_are_not(tmp_path):
    stale, live, others = (tmp_path / name for name in (".run.draft-dead", ".run.draft-live", ".other.draft-dead"))
    for draft in (stale, live, others):
        draft.mkdir()
        (draft / "half").write_text("")
    for draft in (stale, others):
        os.utime(draft, (0, 0))
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == [".other.draft-dead", ".run.draft-live", "run"]
