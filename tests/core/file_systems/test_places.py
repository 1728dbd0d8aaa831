import pytest

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.places import check_file_place, check_place


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
