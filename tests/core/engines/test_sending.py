import pickle
import sys
from functools import partial
from threading import Lock

import numpy as np
import pytest

from tutelage.core.engines import sending
from tutelage.core.engines.sending import Stored, sendable
from tutelage.core.errors import BadInput, DamagedFile


class AtHome:
    """As if the program itself defined it."""


def test_what_modules_define_is_sent_whole():
    content = sendable(partial(np.mean, axis=0), "the function")
    np.testing.assert_array_equal(pickle.loads(content)([[1.0, 2.0], [3.0, 4.0]]), [2.0, 3.0])  # noqa: S301


@pytest.mark.parametrize("value", [lambda: 1, Lock()])
def test_what_cannot_be_sent_is_said(value):
    with pytest.raises(BadInput, match=r"'mine' cannot be sent to other processes \(.*\)\. Define what it is made of in a module"):
        sendable(value, "the student 'mine'")


def test_what_the_program_itself_defines_is_refused(monkeypatch):
    monkeypatch.setattr(AtHome, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "AtHome", AtHome, raising=False)
    with pytest.raises(BadInput, match="the program itself defines AtHome"):
        sendable([AtHome()], "it")


def test_a_stored_value_is_read_once_and_removed(tmp_path, monkeypatch):
    value = {"rows": np.arange(5)}
    stored = Stored.of(value, tmp_path / "work" / "rows.pickle")
    assert stored.value() is value
    monkeypatch.setattr(sending, "_last", [])  # as in another process
    read = stored.value()
    assert read is not value
    np.testing.assert_array_equal(read["rows"], value["rows"])
    assert stored.value() is read
    stored.remove()
    with pytest.raises(BadInput, match="cannot be read by a worker; choose a folder that all workers see"):
        stored.value()


def test_a_file_that_was_changed_is_not_read(tmp_path, monkeypatch):
    stored = Stored.of(1, tmp_path / "rows.pickle")
    stored.path.write_bytes(pickle.dumps(2))
    monkeypatch.setattr(sending, "_last", [])
    with pytest.raises(DamagedFile, match="was changed since it was written for the workers"):
        stored.value()
