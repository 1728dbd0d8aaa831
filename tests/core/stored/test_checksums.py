import json

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from tutelage.core.errors import CannotWrite, DamagedFile, StaleCache
from tutelage.core.records import dumps
from tutelage.core.stored import checksums
from tutelage.core.stored.checksums import CHECKSUM, checked, intact, read_json, read_tensors, sha256_of, with_checksum, write_tensors

RECORD = {"schema": 3, "rows": np.int64(7), "share": np.float64(0.1), "names": ("é", None), "by": {2: "two", 10: "ten"}}


def written(path, plain):
    path.write_text(dumps(plain), encoding="utf-8")
    return path


def read(path):
    return read_json(path, schema=3, remedy="Write it again.")


def test_a_record_is_read_as_it_was_written_however_it_is_indented(tmp_path):
    path = written(tmp_path / "record.json", with_checksum(RECORD))
    expected = {"schema": 3, "rows": 7, "share": 0.1, "names": ["é", None], "by": {"2": "two", "10": "ten"}}
    assert read(path) == expected
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=8, sort_keys=True), encoding="utf-8")
    assert read(path) == expected
    assert with_checksum(with_checksum(RECORD)) == with_checksum(RECORD)


@pytest.mark.parametrize("change", [{"rows": 8}, {"more": 1}, {CHECKSUM: None}, {CHECKSUM: "0" * 64}, {"schema": 4}])
def test_a_changed_record_is_damaged(change, tmp_path):
    with pytest.raises(DamagedFile, match=r"record.json is damaged: its content does not match its checksum. Write it again"):
        read(written(tmp_path / "record.json", with_checksum(RECORD) | change))


@pytest.mark.parametrize("plain", [with_checksum(RECORD | {"schema": 4}), {"schema": 4}, {"schema": "3"}])
def test_a_record_of_another_version_is_stale(plain, tmp_path):
    with pytest.raises(StaleCache, match=r"has schema .*; this version of tutelage reads 3"):
        read(written(tmp_path / "record.json", plain))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"[" * 200_000, b"\xff\xfe", b'{"schema"'])
def test_a_file_that_is_no_record_is_damaged(content, tmp_path):
    (tmp_path / "record.json").write_bytes(content)
    with pytest.raises(DamagedFile, match="is damaged, or another program wrote it"):
        read(tmp_path / "record.json")


def test_a_record_that_cannot_be_read_or_is_too_large_is_damaged(tmp_path, monkeypatch):
    with pytest.raises(DamagedFile, match="cannot be read"):
        read(tmp_path / "gone.json")
    monkeypatch.setattr(checksums, "LARGEST_JSON", 10)
    with pytest.raises(DamagedFile, match="expected 10 at most"):
        read(written(tmp_path / "record.json", with_checksum(RECORD)))


TENSORS = {
    "numpy": {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False]), "empty": np.zeros((0, 2)), "one": np.ones(())},
    "torch": {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3, dtype=torch.bfloat16)},
}


@pytest.mark.parametrize("framework", TENSORS)
def test_tensors_round_trip_and_the_same_give_the_same_bytes(framework, tmp_path):
    path, tensors = tmp_path / "x.safetensors", TENSORS[framework]
    write_tensors(path, tensors, {"schema": 1, "é": [1, None]}, framework=framework)
    first = sha256_of(path)
    about, found = read_tensors(path, framework=framework, of="a test", remedy="")
    assert about == {"schema": 1, "é": [1, None]}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape)
        assert bool((found[name] == tensor).all())
    write_tensors(path, tensors, {"schema": 1, "é": [1, None]}, framework=framework)
    assert sha256_of(path) == first


def test_every_byte_of_a_file_of_tensors_counts(tmp_path):
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"a": np.arange(2.0)}, {"schema": 1}, framework="numpy")
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedFile, match=r"x.safetensors is not a test, or is damaged \(.+\). Again"):
            read_tensors(path, framework="numpy", of="a test", remedy="Again.")


@pytest.mark.parametrize("metadata", [None, {"tutelage": "[" * 100_000}, {"tutelage": "3"}, {"tutelage": "{}"}])
def test_a_file_of_tensors_without_a_checksum_is_damaged(metadata, tmp_path):
    save_file({"a": np.zeros(2)}, tmp_path / "x.safetensors", metadata)
    with pytest.raises(DamagedFile, match="is not a test"):
        read_tensors(tmp_path / "x.safetensors", framework="numpy", of="a test", remedy="")


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be written"):
        write_tensors(tmp_path / "file" / "x", {}, {}, framework="numpy")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}])
def test_a_value_that_json_cannot_hold_is_damage(value):
    record = with_checksum(RECORD)
    assert intact(record)
    assert not intact(record | {"rows": value})
    with pytest.raises(DamagedFile, match="the record is damaged: its content does not match"):
        checked(record | {"rows": value}, schema=3, name="the record", remedy="Write it again.")
