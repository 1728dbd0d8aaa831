from pathlib import Path

import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.paths import RemotePath
from tutelage.core.file_systems.places import check_apart, check_file_place, check_not_read, check_place


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


@pytest.mark.parametrize(
    ("target", "cache", "where"),
    [
        ("out", "out", "is the same folder"),
        ("out", "out/deep/cache", "lies around it"),
        ("cache/deep/out", "cache", "lies inside it"),
        ("out", "../{here}/out", "is the same folder"),
        ("{whole}/out", "out/cache", "lies around it"),
        ("link", "there", "is the same folder"),
        ("there/out", "link", "lies inside it"),
        ("out", "link/../out/cache", "lies around it"),
    ],
)
def test_a_cache_is_no_part_of_what_is_written_whatever_both_are_called(target, cache, where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    target, cache = (Path(one.format(here=tmp_path.name, whole=tmp_path)) for one in (target, cache))
    with pytest.raises(CannotWrite) as refused:
        check_apart(target, cache)
    assert str(refused.value).startswith(f"cache= is {cache}, and {target}, a folder of results, {where}. Choose another folder for one")
    assert names(tmp_path) == ["link", "there"]


def test_folders_beside_each_other_are_apart(tmp_path):
    check_apart(tmp_path / "out", tmp_path / "out.answers")
    check_apart(RemotePath.of("s3://lake/out"), tmp_path)
    check_apart(tmp_path / "out", tmp_path, may_hold=True)


def test_what_is_read_is_not_written_over(tmp_path):
    rows, folder, link = tmp_path / "rows.csv", tmp_path / "folder", tmp_path / "link.csv"
    rows.write_text("x")
    folder.mkdir()
    link.symlink_to(rows)
    (folder / "part.csv").write_text("x")
    (folder / "hard.csv").hardlink_to(rows)
    read = [rows, folder, None, tmp_path / "nothing.csv"]
    for target, said in (
        (rows, "rows.csv is an input"),
        (link, "is the same file as"),
        (folder / "hard.csv", "is the same file as"),
        (folder / "part.csv", "lies in"),
        (folder / ".." / "rows.csv", "is the same file as"),
        (tmp_path, "holds"),
    ):
        with pytest.raises(CannotWrite, match=f"{said}.*read as well and would be lost. Choose another path"):
            check_not_read(target, read)
    for new in (folder / "new.csv", tmp_path / "nothing.csv"):
        check_file_place(new, read=read)
    assert rows.read_text() == "x"
