"""Recordings on object stores: the bytes of a folder of this machine, by the same protocol, and errors that name what refused."""

import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import labelling_teachers
import numpy as np
import pytest
from faulty_files import Faults, FaultyFiles, FaultyObjects

import tutelage as tl
from tutelage.core.errors import BadInput, CannotRead, CannotWrite, DamagedFile, LabelMismatch
from tutelage.core.file_systems.paths import RemotePath

X = np.arange(300.0).reshape(100, 3)


def teacher_of(function=labelling_teachers.sums):
    return tl.as_teacher(function, kind="probabilities", classes=["low", "high"])


def planned(folder, rows=X):
    return tl.plan(teacher_of(), rows, folder, shard_rows=30)


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What a recording on this machine holds."""
    folder = tmp_path_factory.mktemp("alone") / "labels"
    tl.record(teacher_of(), X, folder, shard_rows=30)
    return files_of(folder)


@pytest.fixture(params=["s3", "memory"])
def folder(request, object_store):
    """A folder on a file system that is not of this machine."""
    found = RemotePath.of(f"{request.param}://lake/labels of {request.node.originalname}")
    yield found
    found.remove_folder()


def test_what_is_recorded_there_has_the_bytes_of_a_folder_here_and_is_read_as_such(folder, alone):
    done = []
    labels = tl.record(teacher_of(), X, str(folder), shard_rows=30, advance=lambda: done.append(1))
    assert files_of(folder) == alone
    assert (labels.path, len(done)) == (folder, 4)
    opened = tl.open_labels(f"{folder}/")
    np.testing.assert_array_equal(opened.answer(X[[99, 1, 55]])[:, 1], labelling_teachers.sums(X[[99, 1, 55]]))
    assert len(opened.answer(X)) == len(opened.labels.answer(X[::-1])) == 100
    parts = tl.parts(X, opened, window=30, seed=0)
    assert sorted(number for part in parts.batches(7) for number in part.numbers) == list(range(100))
    assert len(tl.record(teacher_of(), X, folder, shard_rows=30)) == 100
    with pytest.raises(LabelMismatch, match=r"holds another recording \(rows is 100 there, 50 here\)"):
        tl.record(teacher_of(), X[:50], folder, shard_rows=30)
    assert files_of(folder) == alone


def test_a_recording_goes_on_after_its_last_shard(folder, alone):
    for name, content in alone.items():
        if name not in ("manifest.json", "part-00002.parquet"):
            (folder / name).write(content)
    with pytest.raises(BadInput, match=r"is not finished \(3 shards so far, no manifest.json\). Record again to resume it"):
        tl.open_labels(folder)
    plan = planned(folder)
    assert plan.missing() == [2]
    asked = []
    teacher = dataclasses.replace(plan.request, teacher=_Asked(plan.request.teacher, asked))
    dataclasses.replace(plan, request=teacher).label(2)
    assert asked == [30]
    plan.finish()
    assert files_of(folder) == alone


@dataclasses.dataclass
class _Asked:
    teacher: object
    asked: list

    def __getattr__(self, name):
        return getattr(self.teacher, name)

    def answer(self, inputs):
        self.asked.append(len(inputs))
        return self.teacher.answer(inputs)


def test_two_plans_label_in_any_order_and_both_may_finish_at_once(folder, alone):
    one, other = planned(folder), planned(folder)
    for shard in (3, 1):
        one.label(shard)
    for shard in (1, 0, 2):
        other.label(shard)
    with ThreadPoolExecutor(2 if folder.root == "s3://lake" else 1) as threads:  # a file in memory has one place for all of its readers
        both = list(threads.map(lambda plan: len(plan.finish()), (one, other)))
    assert both == [100, 100]
    assert len(one.finish()) == 100
    assert files_of(folder) == alone


def test_workers_are_sent_the_teacher_through_the_folder(folder, alone):
    from sklearn.linear_model import LogisticRegression

    teacher = LogisticRegression().fit(X, X[:, 0] > 150)
    here = tl.record(teacher, X)
    with ThreadPoolExecutor(1) as threads:  # functions run in this process, which opens the plan as another would
        labels = tl.record(teacher, X, folder, shard_rows=30, on=threads)
    np.testing.assert_array_equal(labels.labels.answers, here.answers)
    assert set(files_of(folder)) == set(alone)


@pytest.mark.exhaustive
def test_processes_of_their_own_record_the_same_bytes(object_store, alone):
    tl.record(teacher_of(), X, "s3://lake/local", shard_rows=30, on=tl.Local(2))
    assert files_of(RemotePath.of("s3://lake/local")) == alone


def test_a_folder_that_only_this_process_sees_is_an_error_in_another(object_store):
    from tutelage.softlabels.labelling.job import Job

    plan = planned("memory://lake/unseen")
    job = Job.of(plan)
    plan.drop()
    with pytest.raises(BadInput, match=r"memory://lake/unseen holds no plan in this process; .* that all processes reach"):
        job.opened()


def test_requests_for_a_shard_and_for_the_proof(object_store):
    folder = "s3://lake/counted"
    plan = planned(folder)
    first, again = object_store.asked(lambda: plan.label(0)), object_store.asked(lambda: plan.label(0))
    for shard in (1, 2, 3):
        plan.label(shard)
    missing, finish = object_store.asked(plan.missing), object_store.asked(plan.finish)
    assert first == {"HEAD": 7, "GET": 1, "PUT": 2}  # docs/guide/many-processes.md says so
    assert again == {"HEAD": 4, "GET": 1}
    assert missing == {"HEAD": 1, "LIST": 2}
    assert {verb: finish[verb] for verb in ("HEAD", "GET", "PUT")} == {"HEAD": 4 + 6, "GET": 4, "PUT": 2}
    assert finish["LIST"] < 10


def test_folders_that_hold_something_else_and_files_are_refused(folder):
    (folder / "notes.txt").write(b"mine")
    with pytest.raises(CannotWrite, match=re.escape(f"{folder} already holds other files")):
        tl.record(teacher_of(), X, folder)
    with pytest.raises(CannotWrite, match=r"notes.txt is a file, but a folder will be written there"):
        planned(folder / "notes.txt")
    assert files_of(folder) == {"notes.txt": b"mine"}
    with pytest.raises(BadInput, match=r"holds no recorded answers \(no manifest.json\)"):
        tl.open_labels(folder)
    with pytest.raises(BadInput, match=r"there is no folder \w+://lake/nowhere; record into it first"):
        tl.open_labels(f"{folder.root}/nowhere")


def test_a_bucket_that_is_not_there_is_named(object_store):
    with pytest.raises(CannotWrite, match=r"^s3://no-bucket/labels cannot be written \(.*NO_SUCH_BUCKET.*\)\. Check the URI"):
        tl.record(teacher_of(), X, "s3://no-bucket/labels")
    with pytest.raises(BadInput, match=r"there is no folder s3://no-bucket/labels; record into it first"):
        tl.open_labels("s3://no-bucket/labels")


def test_damaged_and_missing_shards_are_named(folder):
    labels = tl.record(teacher_of(), X, folder, shard_rows=30)
    part = folder / "part-00001.parquet"
    part.write(part.read_bytes()[:-1] + b"?")
    with pytest.raises(DamagedFile, match=r"part-00001.parquet is damaged: its SHA-256 differs"):
        labels.part(1)
    part.unlink()
    with pytest.raises(DamagedFile, match=r"part-00001.parquet is missing. Restore it, or"):
        labels.part(1)
    with pytest.raises(DamagedFile, match=r"part-00001.parquet is missing. Restore it, or"):
        tl.open_labels(folder)


def test_what_a_file_system_refuses_is_no_damage_and_its_secrets_are_not_repeated(monkeypatch):
    labels = tl.record(teacher_of(), X, "faulty://lake/refused", shard_rows=30)

    def refused(self, *_, **__):
        raise PermissionError("403 Forbidden for /x?sig=abc123&token=def456 with key")

    monkeypatch.setattr(FaultyFiles, "_open", refused)
    with pytest.raises(CannotRead) as caught:
        labels.part(0)
    expected = "faulty://lake/refused/part-00000.parquet cannot be read (403 Forbidden for /x?sig=...&token=... with key). Check the URI"
    assert str(caught.value).startswith(expected)
    with pytest.raises(CannotWrite, match=r"cannot be written \(403 Forbidden"):
        tl.record(teacher_of(), X, "faulty://lake/refused2", shard_rows=30)


@pytest.mark.parametrize("name", ["labels*", "labels?x", "labels[1]"])
def test_names_that_fsspec_would_take_for_patterns_are_refused_and_removed_by_none(name):
    beside = RemotePath.of("memory://lake/labels1")
    (beside / "x").write(b"mine")
    with pytest.raises(CannotWrite, match="fsspec takes"):
        tl.record(teacher_of(), X, f"memory://lake/{name}", shard_rows=30)
    with pytest.raises(CannotWrite, match="fsspec takes"):
        RemotePath("memory://lake", name).remove_folder()
    assert files_of(beside) == {"x": b"mine"}


@pytest.mark.parametrize("scheme", ["faulty", "oss"])
@pytest.mark.parametrize(
    ("kind", "said"),
    [("full", "No space left on device"), ("lost", "does not hold what was written"), ("halved", "does not hold")],
)
def test_a_full_disk_and_a_write_that_did_not_happen_are_said_at_once(scheme, kind, said, monkeypatch):
    monkeypatch.setattr(FaultyFiles if scheme == "faulty" else FaultyObjects, "faults", Faults(0, rate=1.0, kinds=(kind,)))
    with pytest.raises(CannotWrite, match=rf"^{scheme}://lake/{kind}\S* .*({said}|cannot be written)"):
        tl.record(teacher_of(), X, f"{scheme}://lake/{kind}", shard_rows=30)


@pytest.mark.parametrize("name", ["a b", "100%", "a%20b", "x#1", "ü/日本", "q=1", "plus+plus"])
def test_names_are_taken_as_they_are_written(object_store, name):
    folder = f"s3://lake/{name}/labels"
    tl.record(teacher_of(), X, folder, shard_rows=60)
    assert str(tl.open_labels(f"{folder}/").path) == folder
    keys = {one["Key"] for one in object_store.client.list_objects_v2(Bucket="lake", Prefix=f"{name}/")["Contents"]}
    assert {f"{name}/labels/part-00000.parquet", f"{name}/labels/part-00001.parquet", f"{name}/labels/manifest.json"} <= keys


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("s3://", "'s3://' is no URI of a file or folder; expected one such as s3://bucket/folder."),
        ("s3://lake//labels", "has a part without a name, or one of dots"),
        ("s3://lake/../labels", "has a part without a name, or one of dots"),
        ("s3://key:secret@lake/labels", "a URI of s3:// holds credentials, which would be written into files; leave them out"),
        ("s3://lake/labels?secret_key=abc", "a URI of s3:// holds credentials"),
        ("s3://lake/labels?nonsense=1", "Unexpected query parameter in S3 URI: 'nonsense'"),
        ("nonsense://lake/labels", "'nonsense://lake' is on no file system that can be opened"),
        ("ftp://localhost:1/labels", "ftp://localhost:1 cannot be opened"),
        ("S3:/lake/labels", "'S3:/lake/labels' was a URI, which a Path cannot hold"),
        ("file:///tmp/labels", "is on this machine; write its path"),
        (Path("s3://lake/labels"), "'s3:/lake/labels' was a URI, which a Path cannot hold; write it as a text"),
    ],
)
def test_uris_that_name_nothing_are_refused_in_one_sentence(given, message):
    for call in (lambda: tl.record(teacher_of(), X, given), lambda: planned(given), lambda: tl.open_labels(given)):
        with pytest.raises(BadInput, match=re.escape(message)) as caught:
            call()
        assert "abc" not in str(caught.value)
        assert "key:secret" not in str(caught.value)


@pytest.mark.parametrize(("uri", "at_once"), [("s3a://lake/x", True), ("oss://lake/x", True), ("faulty://lake/x", False)])
def test_object_stores_are_written_under_the_name_at_once(monkeypatch, uri, at_once):
    found, write = [], FaultyFiles.written
    monkeypatch.setattr(FaultyFiles, "written", lambda system, path, content: found.append(path) or write(system, path, content))
    RemotePath.of(uri).write(b"some")
    assert RemotePath.of(uri).read_bytes() == b"some"
    assert [".draft-" not in path for path in found] == [at_once]
