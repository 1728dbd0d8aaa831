import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
from sklearn.ensemble import RandomForestClassifier

from tutelage.core.errors import DamagedFile, WrongType
from tutelage.core.stored import skops_files
from tutelage.core.stored.skops_files import ABOUT, dump_skops, read_skops, reading_skops

MODEL = {"a": np.arange(3.0), "b": [np.arange(3.0), "text", 'quoted "__id__": 17'], "sparse": sp.csr_matrix(np.eye(3))}


def test_an_archive_holds_the_model_and_what_is_said_about_it(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(dump_skops(MODEL, {"schema": 1}))
    archive = read_skops(path)
    assert archive.about == {"schema": 1}
    found = skops.io.loads(archive.content, trusted=skops.io.get_untrusted_types(data=archive.content))
    np.testing.assert_array_equal(found["a"], MODEL["a"])
    assert found["b"][1:] == MODEL["b"][1:]
    np.testing.assert_array_equal(found["sparse"].toarray(), np.eye(3))
    assert {ABOUT, "schema.json"} < set(zipfile.ZipFile(path).namelist())


def test_the_same_training_gives_the_same_bytes():
    X = np.random.default_rng(0).normal(size=(60, 3))
    first, second = (dump_skops(RandomForestClassifier(3, random_state=0).fit(X, X[:, 0] > 0), {"schema": 1}) for _ in range(2))
    assert first == second


def test_every_byte_of_an_archive_counts(tmp_path):
    path, whole = tmp_path / "model.skops", dump_skops([1, "two"], {"schema": 1})
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DamagedFile, match="is damaged"), reading_skops(path, "a model", "Again."):
            read_skops(path)


@pytest.mark.exhaustive
def test_skops_is_loaded_without_torch_and_leaves_torch_to_others():
    code = """
import sys
from tutelage.core.stored.skops_files import skops_io
print(skops_io().loads(skops_io().dumps([1])), "torch" in sys.modules)
from sklearn.externals.array_api_compat import torch
print(torch.asarray([1]).tolist())
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[1] False\n[1]\n"


def archived(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("names", [["schema.json"], ["data.npy", "0.npz"]], ids=["entry", "archive in the archive"])
def test_an_archive_that_would_fill_the_memory_is_refused_before_it_is_unpacked(names, tmp_path):
    content = bytes(80_000_000)
    for name in names:
        content = archived(name, content)
    (tmp_path / "bomb.skops").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"would unpack to 80,\d+,\d+ bytes"):
        read_skops(tmp_path / "bomb.skops")


def test_a_large_forest_is_not_taken_for_a_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(skops_files, "FREE_BYTES", 0)
    path = tmp_path / "model.skops"
    model = RandomForestClassifier(100, max_depth=3, random_state=0).fit(np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 2)
    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    assert read_skops(path).about is None


def test_an_archive_of_ours_may_unpack_to_what_it_states_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(skops_files, "FREE_BYTES", 1 << 10)
    path, model = tmp_path / "model.skops", [np.zeros(200_000), sp.csr_matrix(np.zeros((300, 300)))]
    path.write_bytes(dump_skops(model, {"schema": 1}))
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    assert unpacked > 200 * path.stat().st_size
    assert read_skops(path).about == {"schema": 1}
    skops.io.dump(model, path, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(DamagedFile, match="would unpack to"):
        read_skops(path)
    monkeypatch.setattr(skops_files, "_size_inside", lambda name, content: 0)
    path.write_bytes(dump_skops(model, {"schema": 1}))  # states too little
    monkeypatch.undo()
    with pytest.raises(DamagedFile, match="would unpack to"):
        read_skops(path)


def test_what_is_said_about_an_archive_may_not_fill_the_memory(tmp_path):
    (tmp_path / "bomb.skops").write_bytes(archived(ABOUT, bytes(80_000_000)))
    with pytest.raises(DamagedFile, match="too large"), reading_skops(tmp_path / "bomb.skops", "a model", "Again."):
        read_skops(tmp_path / "bomb.skops")


@pytest.mark.parametrize("error", [zipfile.BadZipFile("x"), RecursionError(), MemoryError(), EOFError()])
def test_whatever_reading_raises_is_one_sentence(error, tmp_path):
    message = r"model is not a skops file, or is damaged \(.+\). Save it again"
    with pytest.raises(DamagedFile, match=message), reading_skops(tmp_path / "model", "a skops file", "Save it again."):
        raise error


def test_an_object_that_skops_cannot_store_is_one_sentence():
    with pytest.raises(WrongType, match=r"this RandomForestClassifier cannot be stored \(.*module"):
        dump_skops(RandomForestClassifier(random_state=np.random), {})
