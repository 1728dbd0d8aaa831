import pytest

from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.records import dumps
from tutelage.core.stored.checksums import sha256_of
from tutelage.exporters.beside import check_exported, name_student, record_path

OURS, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "student.c"
    path.write_text("int answer;")
    record_path(path).write_text(dumps({"schema": 1, "sha256": sha256_of(path)}))
    return path


def test_a_record_tells_the_bytes_and_the_student(path):
    assert record_path(path).name == "student.c.json"
    check_exported(path)
    with pytest.warns(UserWarning, match="nothing beside .*student.c says of which student it is"):
        check_exported(path, OURS)
    name_student(path, OURS)
    check_exported(path, OURS)
    check_exported(path)
    with pytest.raises(BadInput, match="was exported from another student"):
        check_exported(path, OTHER)
    path.write_text("int other;")
    for student in (None, OURS, OTHER):
        with pytest.raises(DamagedFile, match="is not the file that was exported: its SHA-256 differs"):
            check_exported(path, student)


@pytest.mark.parametrize("content", ["", "[1]", "{", "\ud800"])
def test_a_record_that_is_none_is_said(path, content):
    record_path(path).write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(DamagedFile, match=r"student.c.json (cannot be read|is no record of an exported file); export the student again"):
        check_exported(path)


def test_a_file_without_a_record_is_checked_by_nothing(path):
    record_path(path).unlink()
    check_exported(path)
    with pytest.warns(UserWarning, match="its answers may be those of another one"):
        check_exported(path, OURS)
