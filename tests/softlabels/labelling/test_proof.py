"""What `finish` proves of shards, and what labelling a shard looks at: its own files."""

import os
import sys
import time

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput, DamagedFile
from tutelage.softlabels import shards
from tutelage.softlabels.labelling import proof


def halves(frame):
    return np.asarray(frame["a"]) / 2.0


TEACHER = tl.as_teacher(halves, kind="values", version="1")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rows").mkdir()
    for number in range(40):
        rows = np.arange(5.0) + 5 * number
        pd.DataFrame({"a": rows, "b": -rows}).to_parquet(tmp_path / "rows" / f"{number:02}.parquet")
    return tmp_path / "rows"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files in /proc")
def test_of_many_files_a_few_are_open(files):
    from tutelage.data.rows import as_rows

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    rows = as_rows(files)
    read = np.concatenate([np.asarray(part["a"]) for _, _, part in rows.parts(13)])
    assert read.tolist() == list(range(200))
    assert len(os.listdir("/proc/self/fd")) <= before + 4  # noqa: PTH208


def test_a_shard_is_labelled_though_files_of_other_rows_changed_and_finish_finds_them(files, tmp_path):
    plan = tl.plan(TEACHER, files, tmp_path / "labels", shard_rows=20)
    pd.DataFrame({"a": [0.0] * 5, "b": [7.0] * 5}).to_parquet(files / "04.parquet")
    plan.label(0)  # of the files 0 to 3
    with pytest.raises(BadInput, match=r"04[.]parquet are not those that the plan was made for"):
        plan.label(1)
    plan = tl.plan(TEACHER, files, tmp_path / "others", shard_rows=20)
    for shard in plan.missing():
        plan.label(shard)
    os.utime(files / "17.parquet", (1, 1))
    with pytest.raises(BadInput, match=r"17[.]parquet are not those"):
        plan.finish()


def test_what_this_plan_labelled_is_proven_by_its_hash_and_the_rest_by_its_rows(files, tmp_path, monkeypatch):
    tl.record(TEACHER, files, tmp_path / "one", shard_rows=20)
    plan = tl.plan(TEACHER, files, tmp_path / "labels", shard_rows=20)
    for shard in plan.missing():
        plan.label(shard)
    next((plan.folder / "plan").rglob("part-00003.*")).unlink()  # the receipt
    parsed = []
    monkeypatch.setattr(proof, "shard_and_sha256", lambda *given: parsed.append(given[1]) or shards.shard_and_sha256(*given))
    plan.finish()
    assert parsed == [3]
    assert {path.name: path.read_bytes() for path in plan.folder.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()
    }


def test_a_shard_that_was_damaged_after_it_was_labelled_is_named(files, tmp_path):
    plan = tl.plan(TEACHER, files, tmp_path / "labels", shard_rows=20)
    for shard in plan.missing():
        plan.label(shard)
    path = plan.folder / "part-00005.parquet"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedFile, match=r"part-00005[.]parquet"):
        plan.finish()
    path.unlink()
    plan.label(5)
    assert len(plan.finish()) == 200


class OneReader:
    """A Dataset that reads by a place that it keeps, as an open file does."""

    def __len__(self):
        return 40

    def __getitem__(self, index):
        self.place = index
        time.sleep(0.001)  # another thread that reads goes on
        return np.array([float(self.place)])


def test_rows_are_read_by_one_thread_at_a_time_while_shards_are_proven(tmp_path):
    teacher, rows = tl.as_teacher(lambda rows: np.asarray(rows)[:, 0] / 2.0, kind="values", version="1"), OneReader()
    tl.record(teacher, rows, tmp_path / "labels", shard_rows=10)
    (tmp_path / "labels" / "manifest.json").unlink()
    plan = tl.plan(teacher, rows, tmp_path / "labels", shard_rows=10)
    assert plan.missing() == []
    assert len(plan.finish()) == 40
