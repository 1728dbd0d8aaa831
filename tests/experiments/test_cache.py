import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

from tutelage.core.errors import CannotWrite, DamagedFile, StaleCache
from tutelage.core.stored.checksums import write_tensors
from tutelage.experiments.cache import CACHE_SCHEMA, Store, check_store, key_of

MADE_FROM = {"what": "answers", "seed": 1}


def unasked():
    raise AssertionError("asked again")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def kept(store):
    return store.cached(MADE_FROM, lambda: {"answers": np.arange(6.0).reshape(2, 3), "epoch": np.array([3])})


def entry(store):
    return store.root / f"{key_of(MADE_FROM)}.safetensors"


def test_what_is_kept_comes_back_without_being_made_again(store):
    first, second = kept(store), store.cached(MADE_FROM, unasked)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])
        assert array.dtype == second[name].dtype


def test_the_key_follows_the_content_and_not_the_order_of_its_words():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})
    assert len(key_of({})) == 64


def test_fresh_makes_again_and_replaces(store):
    kept(store)
    Store(store.root, fresh=True).cached(MADE_FROM, lambda: {"answers": np.zeros(1)})
    np.testing.assert_array_equal(store.cached(MADE_FROM, unasked)["answers"], [0.0])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_stop_while_making_leaves_no_entry(error, store):
    def stopped():
        raise error

    with pytest.raises(error):
        store.cached(MADE_FROM, stopped)
    assert not store.root.exists()
    assert kept(store)["epoch"] == 3


def test_a_stop_while_writing_leaves_no_entry(store, monkeypatch):
    opened = type(store.root).open

    def half(path, mode):
        with opened(path, mode) as file:
            file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(store.root), "open", half)
        with pytest.raises(KeyboardInterrupt):
            kept(store)
    assert list(store.root.iterdir()) == []
    assert kept(store)["epoch"] == 3


def test_an_entry_of_another_version_names_both_versions_and_the_way_out(store):
    write_tensors(entry(store), {"x": np.ones(1)}, {"schema": CACHE_SCHEMA + 1}, framework="numpy")
    with pytest.raises(StaleCache, match=rf"schema {CACHE_SCHEMA + 1}; this version of tutelage writes {CACHE_SCHEMA}. Run with --fresh"):
        store.cached(MADE_FROM, unasked)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-8]),
        lambda file: save_file({"x": np.ones(1)}, file),
    ],
)
def test_a_damaged_entry_is_an_error_that_names_the_way_out(damage, store):
    kept(store)
    damage(entry(store))
    with pytest.raises(DamagedFile, match="--fresh"):
        store.cached(MADE_FROM, unasked)
    assert Store(store.root, fresh=True).cached(MADE_FROM, lambda: {"x": np.ones(1)})["x"] == 1


def test_a_place_that_cannot_be_written_is_found_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="name another with --cache"):
        check_store(tmp_path / "file")
    check_store(tmp_path / "results")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_another_run_kept_meanwhile_is_used(store):
    def slow():
        kept(store)
        return {"answers": np.zeros(1)}

    assert store.cached(MADE_FROM, slow)["answers"].shape == (2, 3)
    assert store.cached(MADE_FROM, unasked)["epoch"] == 3


RACING = """
import sys, time
from pathlib import Path
import numpy as np
from tutelage.experiments.cache import Store
while not Path("start").exists():
    time.sleep(0.001)
store = Store(Path("cache"))
for turn in range(150):
    found = store.cached({"turn": turn}, lambda: {"answers": np.full(2000, turn)})
    assert (found["answers"] == turn).all()
"""


def test_several_processes_that_cache_the_same_entries_all_succeed(tmp_path):
    command = [sys.executable, "-c", RACING]
    processes = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    (tmp_path / "start").write_text("")
    assert [process.communicate()[1] for process in processes] == [""] * 3
    assert len(list((tmp_path / "cache").iterdir())) == 150


def test_a_fresh_run_computes_an_entry_once_and_what_was_there_before_is_counted(tmp_path):
    calls = []

    def make():
        calls.append(1)
        time.sleep(0.01)
        return {"a": np.arange(3)}

    Store(tmp_path).cached({"x": 1}, make)
    store = Store(tmp_path, fresh=True, started=time.time(), log=tmp_path / "log")
    store.cached({"x": 1}, make)
    store.cached({"x": 1}, make)
    assert len(calls) == 2
    assert store.seconds_before() == 0
    later = Store(tmp_path, started=time.time() + 10, log=tmp_path / "log")
    assert later.cached({"x": 1}, make)["a"].tolist() == [0, 1, 2]
    later.cached({"x": 1}, make)
    assert len(calls) == 2
    assert 0.005 < later.seconds_before() < 60
