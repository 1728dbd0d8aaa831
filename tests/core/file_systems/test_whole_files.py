import os

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.places import check_file_place, check_place
from tutelage.core.file_systems.whole_files import whole_file, write_text
from tutelage.core.file_systems.whole_folders import check_whole_folder, recover_folder, whole_folder


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


@pytest.mark.parametrize("exists", [True, False])
def test_files_and_folders_are_written_through_symbolic_links(exists, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if exists:
        (disk / "run").mkdir()
        (disk / "note").write_text("old")
    for name in ("run", "note"):
        (tmp_path / name).symlink_to(disk / name)
    with whole_folder(tmp_path / "run", may_replace=lambda _: True) as draft:
        (draft / "new").write_text("")
    write_text(tmp_path / "note", "new")
    assert names(disk) == ["note", "run"]
    assert names(disk / "run") == ["new"]
    assert (disk / "note").read_text() == "new"
    assert names(tmp_path) == ["disk", "note", "run"]
    assert (tmp_path / "run").is_symlink()
    assert (tmp_path / "note").is_symlink()


def test_a_symbolic_link_to_itself_is_one_sentence(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "run")
    for check in (check_place, check_whole_folder, check_file_place):
        with pytest.raises(CannotWrite):
            check(tmp_path / "run")
    recover_folder(tmp_path / "run")
    with pytest.raises(CannotWrite), whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == ["run"]
