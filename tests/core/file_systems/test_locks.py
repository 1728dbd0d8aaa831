import threading

from tutelage.core.file_systems.locks import locked
from tutelage.core.file_systems.whole_folders import recover_folder, whole_folder

A, B = "0123456789abcdef", "f" * 16


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_written_into_a_locked_one(tmp_path):
    def write():
        with whole_folder(tmp_path / "run"):
            pass

    with locked(tmp_path):  # as by a recording that takes hours
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(10)
        assert not writer.is_alive()
    assert names(tmp_path) == ["run"]


def test_without_locks_a_reader_does_not_recover(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.core.file_systems.locks._LOCKS", False)
    (tmp_path / f".run.old-{A}").mkdir()
    recover_folder(tmp_path / "run")
    assert names(tmp_path) == [f".run.old-{A}"]
    with whole_folder(tmp_path / "run"):
        pass
    assert names(tmp_path) == ["run"]
