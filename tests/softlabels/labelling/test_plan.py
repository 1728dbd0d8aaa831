import dataclasses
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from labelling_teachers import sums
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB

import tutelage as tl
from tutelage.core.errors import BadInput, CannotWrite, DamagedFile, LabelMismatch
from tutelage.softlabels.shards import offer_shard

X = np.arange(300.0).reshape(100, 3)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
TEACHER = GaussianNB().fit(X, np.arange(100) % 3)
OF_FRAMES = GaussianNB().fit(FRAME, np.arange(100) % 3)


def lengths(texts):
    return np.array([float(len(text)) for text in texts])


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def sources(folder):
    """The same rows in every way that is planned differently."""
    FRAME.to_parquet(folder / "rows.parquet")
    FRAME[:50].to_csv(folder / "part-0.csv", index=False)
    FRAME[50:].to_csv(folder / "part-1.csv", index=False)
    np.save(folder / "rows.npy", X)
    return {
        "array": (TEACHER, X),
        "frame": (OF_FRAMES, FRAME),
        "parquet": (OF_FRAMES, folder / "rows.parquet"),
        "csv": (OF_FRAMES, folder / "part-*.csv"),
        "npy": (TEACHER, folder / "rows.npy"),
        "texts": (
            tl.as_teacher(lambda texts: np.array([float(len(text)) for text in texts]), kind="values"),
            ["a" * n for n in range(100)],
        ),
    }


def test_opening_a_folder_whose_plan_is_not_finished_says_how_it_is(tmp_path):
    plan = tl.plan(TEACHER, X, tmp_path / "many", shard_rows=30)
    plan.label(1)
    with pytest.raises(
        BadInput, match=r"many is not finished \(1 shards so far, by a plan\)\. Label the others and finish it, tl\.plan\(\.\.\.\)"
    ):
        tl.open_labels(tmp_path / "many")


@pytest.mark.parametrize("kind", ["array", "frame", "parquet", "csv", "npy", "texts"])
def test_shards_labelled_in_any_order_are_those_that_one_process_records(tmp_path, kind):
    teacher, data = sources(tmp_path)[kind]
    tl.record(teacher, data, tmp_path / "one", shard_rows=30)
    mine, other = (tl.plan(teacher, data, tmp_path / "many", shard_rows=30) for _ in range(2))
    assert len(mine) == 4
    assert mine.missing() == [0, 1, 2, 3]
    mine.label(3)
    other.label(0)
    assert mine.missing() == other.missing() == [1, 2]
    for shard in (2, 1, 0):
        other.label(shard)
    assert len(mine.finish()) == 100
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")


@pytest.mark.parametrize("options", [{"dtype": "float16"}, {"top_k": 2}, {"dtype": "float32"}])
def test_the_encoding_is_that_of_a_recording(tmp_path, options):
    tl.record(TEACHER, X, tmp_path / "one", shard_rows=30, **options)
    made = tl.plan(TEACHER, X, tmp_path / "many", shard_rows=30, **options)
    for shard in made.missing():
        made.label(shard)
    made.finish()
    assert files_of(tmp_path / "many") == files_of(tmp_path / "one")


@pytest.fixture
def planned(tmp_path):
    return tl.plan(TEACHER, X, tmp_path / "labels", shard_rows=30)


def labelled(plan):
    for shard in plan.missing():
        plan.label(shard)
    return plan


def test_what_is_finished_stays_so(planned):
    labelled(planned).finish()
    before = files_of(planned.folder)
    assert planned.missing() == []
    planned.label(2)
    assert len(planned.finish()) == 100
    assert files_of(planned.folder) == before
    again = tl.plan(TEACHER, X, planned.folder, shard_rows=30)
    assert again.missing() == []
    assert len(again.finish()) == len(tl.record(TEACHER, X, planned.folder, shard_rows=30)) == 100


@pytest.mark.parametrize("kind", ["array", "parquet", "texts"])
def test_what_is_finished_is_finished_again_without_teacher_and_rows(tmp_path, kind, monkeypatch):
    teacher, rows = sources(tmp_path)[kind]
    plan = labelled(tl.plan(teacher, rows, tmp_path / "labels", shard_rows=30))
    before = plan.finish()

    def never(*_):
        raise AssertionError("asked")

    object.__setattr__(plan.request, "rows", dataclasses.replace(plan.request.rows, part=never))
    monkeypatch.setattr(type(teacher) if kind == "texts" else type(plan.request.teacher), "answer", never)
    again = plan.finish()
    assert (again.data, again.sha256, again.provenance) == (before.data, before.sha256, before.provenance)


def test_a_recording_of_files_that_another_process_finished_is_compared_with_their_rows(tmp_path):
    FRAME.to_parquet(tmp_path / "rows.parquet")
    (FRAME + 1).to_parquet(tmp_path / "others.parquet")
    plan, again = (tl.plan(OF_FRAMES, tmp_path / "rows.parquet", tmp_path / "labels", shard_rows=30) for _ in range(2))
    before = labelled(plan).finish()
    assert again.finish().data == before.data
    tl.record(OF_FRAMES, tmp_path / "others.parquet", tmp_path / "elsewhere", shard_rows=30)
    shutil.rmtree(tmp_path / "labels")
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "labels")
    with pytest.raises(LabelMismatch, match=rf"holds another recording \(data is [0-9a-f]{{8}}\.\.\. there, {before.data[:8]}\.\.\. here"):
        plan.finish()
    shutil.rmtree(tmp_path / "labels")
    late = tl.plan(OF_FRAMES, tmp_path / "rows.parquet", tmp_path / "labels", shard_rows=30)
    shutil.rmtree(tmp_path / "labels")
    shutil.copytree(tmp_path / "elsewhere", tmp_path / "labels")
    with pytest.raises(LabelMismatch, match="holds another recording"):
        late.finish()
    (FRAME + 2).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match="are not those that the plan was made for"):
        dataclasses.replace(late).finish()


@pytest.mark.parametrize("changed", ["shard_rows", "rows"])
def test_a_plan_of_another_recording_than_the_finished_one_is_refused(planned, tmp_path, changed):
    labelled(planned)
    other, rows = tmp_path / "other", X + 1 if changed == "rows" else X
    labelled(tl.plan(TEACHER, rows, other, shard_rows=30 if changed == "rows" else 25)).finish()
    shutil.rmtree(planned.folder)
    shutil.copytree(other, planned.folder)
    what = "shard_rows is 25 there, 30 here" if changed == "shard_rows" else r"data is [0-9a-f]{8}\.\.\. there, [0-9a-f]{8}\.\.\. here"
    with pytest.raises(LabelMismatch, match=rf"labels holds another recording \({what}\)"):
        planned.finish()


def test_two_processes_may_finish_at_once(planned):
    labelled(planned)
    found = []
    threads = [threading.Thread(target=lambda: found.append(len(planned.finish()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [100] * 4
    assert not (planned.folder / "plan").exists()


def test_a_recording_that_stopped_is_planned_further(tmp_path):
    tl.record(TEACHER, X, tmp_path / "labels", shard_rows=30)
    whole = files_of(tmp_path / "labels")
    for name in ("manifest.json", "part-00002.parquet"):
        (tmp_path / "labels" / name).unlink()
    plan = tl.plan(TEACHER, X, tmp_path / "labels", shard_rows=30)
    assert plan.missing() == [2]
    labelled(plan).finish()
    assert files_of(tmp_path / "labels") == whole


def test_shards_of_another_recording_are_an_error_before_anything_is_written(tmp_path):
    tl.record(GaussianNB().fit(X, np.arange(100) % 4), X, tmp_path / "labels", shard_rows=30)
    (tmp_path / "labels" / "manifest.json").unlink()
    before = files_of(tmp_path / "labels")
    with pytest.raises(LabelMismatch, match=r"part-00000\.parquet belongs to another recording \(teacher"):
        tl.plan(TEACHER, X, tmp_path / "labels", shard_rows=30)
    with pytest.raises(LabelMismatch, match=r"part-00000\.parquet belongs to another recording"):
        tl.record(TEACHER, X, tmp_path / "labels", shard_rows=30, on=tl.Local(1))
    assert files_of(tmp_path / "labels") == before


def test_shards_of_other_rows_are_an_error_before_anything_is_written(tmp_path):
    tl.plan(TEACHER, X + 1000, tmp_path / "labels", shard_rows=30).label(3)
    shard = tmp_path / "labels" / "part-00003.parquet"
    shutil.rmtree(tmp_path / "labels" / "plan")
    with pytest.raises(LabelMismatch, match=r"part-00003\.parquet holds answers to other rows. Delete it, and plan again"):
        tl.plan(TEACHER, X, tmp_path / "labels", shard_rows=30)
    assert list(shard.parent.iterdir()) == [shard]


@pytest.mark.parametrize("joined", [True, False])
def test_a_teacher_that_was_changed_under_its_version_is_an_error(tmp_path, joined):
    first, second = (tl.as_teacher(LinearRegression().fit(X, X[:, 0] * factor), version="1") for factor in (1, 2))
    tl.plan(first, X, tmp_path / "labels", shard_rows=30).label(1)
    if not joined:
        shutil.rmtree(tmp_path / "labels" / "plan")
    with pytest.raises(LabelMismatch, match=r"the teacher now gives other answers .* for row 30"):
        tl.plan(second, X, tmp_path / "labels", shard_rows=30)


def test_of_two_that_plan_at_once_the_first_wins(tmp_path, monkeypatch):
    asked = GaussianNB.predict_proba

    def late(self, rows):
        monkeypatch.setattr(GaussianNB, "predict_proba", asked)
        tl.plan(TEACHER, X + 1, tmp_path / "labels", shard_rows=30)
        return asked(self, rows)

    monkeypatch.setattr(GaussianNB, "predict_proba", late)
    with pytest.raises(LabelMismatch, match="holds the plan of another recording"):
        tl.plan(TEACHER, X, tmp_path / "labels", shard_rows=30)


def test_files_are_pinned_before_the_teacher_is_asked(tmp_path):
    FRAME.to_csv(tmp_path / "rows.csv", index=False)

    def changes_the_file(rows):
        (FRAME + 1).to_csv(tmp_path / "rows.csv", index=False)
        return rows["a"]

    teacher = tl.as_teacher(changes_the_file, kind="values", version="1")
    plan = tl.plan(teacher, tmp_path / "rows.csv", tmp_path / "labels", shard_rows=30)
    with pytest.raises(BadInput, match=r"rows\.csv are not those that the plan was made for"):
        plan.label(0)


def test_a_plan_that_was_killed_while_it_was_removed_does_not_stop_a_recording(planned):
    labelled(planned).finish()
    whole = files_of(planned.folder)
    (planned.folder / f".plan.draft-{'0' * 16}").mkdir()
    (planned.folder / "manifest.json").unlink()
    tl.record(TEACHER, X, planned.folder, shard_rows=30)
    assert files_of(planned.folder) == whole


def test_record_leaves_a_plan_alone(planned):
    with pytest.raises(CannotWrite, match="holds a plan, by which others may be labelling"):
        tl.record(TEACHER, X, planned.folder, shard_rows=30)


def test_what_is_missing_is_said(planned):
    planned.label(0)
    with pytest.raises(BadInput, match=r"3 of the 4 shards in .* are not labelled \(first: 1\)"):
        planned.finish()


@pytest.mark.parametrize("index", [4, -1, 1.5, "0"])
def test_there_is_no_such_shard(planned, index):
    with pytest.raises(BadInput, match="index is"):
        planned.label(index)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"teacher": GaussianNB().fit(X, np.arange(100) % 4)}, "teacher is"),
        ({"data": X[:-1]}, "rows is 100 there, 99 here"),
        ({"data": X + 1}, "data is"),
        ({"shard_rows": 31}, "shard_rows is 30 there, 31 here"),
        ({"top_k": 1}, "top_k is None there, 1 here"),
    ],
)
def test_the_plan_of_another_recording_is_refused(planned, change, what):
    asked = {"teacher": TEACHER, "data": X, "shard_rows": 30, **change}
    before = files_of(planned.folder / "plan")
    with pytest.raises(LabelMismatch, match=f"holds the plan of another recording .*{what}"):
        tl.plan(asked.pop("teacher"), asked.pop("data"), planned.folder, **asked)
    assert files_of(planned.folder / "plan") == before


def test_a_damaged_plan_is_refused(planned):
    path = planned.folder / "plan" / "plan.json"
    path.write_text(path.read_text(encoding="utf-8").replace("100", "101"), encoding="utf-8")
    with pytest.raises(DamagedFile, match="plan again"):
        tl.plan(TEACHER, X, planned.folder, shard_rows=30)


@pytest.mark.parametrize("when", ["plan", "label", "finish"])
@pytest.mark.parametrize("change", ["rows added", "a cell replaced", "gone"])
def test_changed_files_are_an_error_before_anything_is_written(tmp_path, when, change):
    path = tmp_path / "rows.csv"
    FRAME.to_csv(path, index=False)
    plan = tl.plan(OF_FRAMES, path, tmp_path / "labels", shard_rows=30)
    for shard in range(3 if when == "label" else 4):
        plan.label(shard)
    before = files_of(plan.folder / "plan") | {path.name: path.read_bytes() for path in plan.folder.glob("*.parquet")}
    changes = {
        "rows added": lambda: FRAME.iloc[[*range(100), 0]].to_csv(path, index=False),
        "a cell replaced": lambda: path.write_text(path.read_text(encoding="utf-8").replace("150.0", "151.0"), encoding="utf-8"),
        "gone": path.unlink,
    }
    changes[change]()
    with pytest.raises(BadInput, match=r"rows\.csv"):
        tl.plan(OF_FRAMES, path, plan.folder, shard_rows=30) if when == "plan" else plan.label(3) if when == "label" else plan.finish()
    assert before == files_of(plan.folder / "plan") | {path.name: path.read_bytes() for path in plan.folder.glob("*.parquet")}


def test_a_shard_of_other_rows_is_named(planned, tmp_path):
    other = tl.plan(TEACHER, X + 1000, tmp_path / "other", shard_rows=30)
    other.label(1)
    (planned.folder / "part-00001.parquet").write_bytes((other.folder / "part-00001.parquet").read_bytes())
    with pytest.raises(LabelMismatch, match=r"part-00001.parquet holds answers to other rows"):
        planned.label(1)
    labelled(planned)
    with pytest.raises(LabelMismatch, match=r"part-00001.parquet holds answers to other rows. Delete it, and label shard 1 again"):
        planned.finish()
    (planned.folder / "part-00001.parquet").unlink()
    assert len(labelled(planned).finish()) == 100


def test_a_shard_that_another_process_wrote_needs_no_receipt(planned):
    labelled(planned)
    for receipt in (planned.folder / "plan").glob("part-*"):
        receipt.unlink()
    assert len(planned.finish()) == 100


@pytest.mark.parametrize("content", [b"", b"PAR1"])
def test_a_damaged_shard_is_named(planned, content):
    labelled(planned)
    (planned.folder / "part-00002.parquet").write_bytes(content)
    with pytest.raises(DamagedFile, match=r"part-00002\.parquet"):
        planned.finish()


def test_a_flipped_byte_in_a_shard_is_named(planned):
    labelled(planned)
    path = planned.folder / "part-00002.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFile, match=r"part-00002\.parquet"):
        planned.finish()


def test_other_answers_to_the_same_rows_are_an_error(tmp_path):
    declared = {"kind": "probabilities", "classes": ["low", "high"], "version": "1"}
    plan = tl.plan(tl.as_teacher(sums, **declared), X, tmp_path / "labels", shard_rows=30)
    other = tl.as_teacher(lambda rows: sums(rows) * 0.9, **declared)
    offered = dataclasses.replace(plan, request=dataclasses.replace(plan.request, teacher=other))._answered(1, X[30:60])
    plan.label(1)
    before = files_of(plan.folder / "plan")
    with pytest.raises(LabelMismatch, match=r"part-00001\.parquet was written by another process with other answers to the same rows"):
        offer_shard(plan.folder, 1, offered, plan.provenance)
    assert files_of(plan.folder / "plan") == before


def test_a_write_that_did_not_happen_is_noticed(planned, monkeypatch):
    monkeypatch.setattr("tutelage.core.file_systems.whole_files._linked", lambda draft, target: True)
    with pytest.raises(CannotWrite, match=r"does not hold what was written. Check the disk, then label shard 0 again"):
        planned.label(0)
    monkeypatch.undo()
    assert planned.missing() == [0, 1, 2, 3]
    assert len(labelled(planned).finish()) == 100


def test_shards_that_are_listed_late_are_labelled_twice_to_the_same_bytes(planned, monkeypatch):
    labelled(planned)
    before = files_of(planned.folder / "plan")
    monkeypatch.setattr(Path, "exists", lambda path, **_: False if path.suffix == ".parquet" else Path.is_file(path) or Path.is_dir(path))
    planned.label(1)
    monkeypatch.undo()
    assert files_of(planned.folder / "plan") == before
    assert len(planned.finish()) == 100


def test_a_full_disk_leaves_no_part_of_a_shard(planned, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tutelage.core.file_systems.whole_files.sync", full)
    with pytest.raises(CannotWrite, match="No space left on device"):
        planned.label(0)
    monkeypatch.undo()
    assert {path.name for path in planned.folder.iterdir()} == {"plan"}


def test_a_receipt_that_cannot_be_written_is_not_needed(planned, monkeypatch):
    touch = Path.touch

    def full(path, **given):
        if path.parent.name == "plan":
            raise OSError(28, "No space left on device")
        touch(path, **given)

    monkeypatch.setattr(Path, "touch", full)
    planned.label(0)
    monkeypatch.undo()
    assert files_of(planned.folder / "plan").keys() == {"plan.json"}
    assert len(labelled(planned).finish()) == 100


def test_drafts_of_killed_processes_are_removed_in_the_end(planned):
    (planned.folder / f".part-00000.parquet.draft-{'0' * 16}").write_bytes(b"half")
    labelled(planned).finish()
    assert {path.name for path in planned.folder.iterdir()} == {"manifest.json", *(f"part-0000{n}.parquet" for n in range(4))}


def test_a_teacher_that_changes_as_it_answers_is_refused_and_nothing_is_planned(tmp_path):
    class Counter:
        asked = 0

        def __call__(self, rows):
            self.asked += 1
            return sums(rows)

    with pytest.raises(BadInput, match="this teacher changes as it answers"):
        tl.plan(tl.as_teacher(Counter(), kind="probabilities", classes=["low", "high"]), X, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


def test_a_language_model_is_asked_by_one_process(tmp_path):
    teacher = tl.teachers.chat("m-1", ["spam", "ham"], endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(BadInput, match="m-1 is asked many texts at a time already, within a budget that holds for one process"):
        tl.plan(teacher, ["a", "b"], tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


def test_a_second_attempt_proves_a_shard_without_receipt_by_the_rows_that_it_was_sent(planned):
    def not_here(start, stop):
        raise AssertionError((start, stop))

    planned.label(1)
    (receipt,) = (planned.folder / "plan").glob("part-00001.*")
    receipt.unlink()
    elsewhere = dataclasses.replace(planned.request.rows, part=not_here)
    other = dataclasses.replace(planned, request=dataclasses.replace(planned.request, rows=elsewhere))
    other.label(1, inputs=X[30:60])
    assert receipt.exists()
    receipt.unlink()
    with pytest.raises(LabelMismatch, match=r"part-00001\.parquet holds answers to other rows"):
        other.label(1, inputs=X[:30])


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy", "array"])
def test_rows_that_are_given_are_those_of_the_shard(tmp_path, kind):
    teacher, rows = sources(tmp_path)[kind]
    whole = X if kind in ("npy", "array") else FRAME
    plan = tl.plan(teacher, rows, tmp_path / "labels", shard_rows=50)
    for some in (whole[:20], whole):
        with pytest.raises(BadInput, match=rf"inputs= holds {len(some)} rows; shard 1 has 50, the rows 50 to 99"):
            plan.label(1, inputs=some)
    if kind == "array":  # which may be in another process: they are proven in the end
        plan.label(0, inputs=whole[50:])
        plan.label(1)
        with pytest.raises(LabelMismatch, match="holds answers to other rows than the plan was made for"):
            plan.finish()
        return
    with pytest.raises(LabelMismatch, match=r"inputs= holds other rows than shard 0, the rows 0 to 49\. Leave it out"):
        plan.label(0, inputs=whole[50:])
    assert plan.missing() == [0, 1]
    plan.label(0, inputs=whole[:50])
    plan.label(1, inputs=whole[50:] if kind == "npy" else whole[["c", "a", "b"]][50:])  # columns are found by name
    np.testing.assert_array_equal(plan.finish().answer(whole), tl.record(teacher, whole).answers)


def test_a_plan_is_not_joined_with_other_rows_of_the_same_files(tmp_path):
    import datasets

    from tutelage.data.table_file import TableFile

    texts = pd.DataFrame({"a": ["x" * n for n in range(1, 41)], "b": ["y" * n for n in range(51, 91)]})
    texts.to_parquet(tmp_path / "rows.parquet")
    one, other = (TableFile.open(tmp_path / "rows.parquet", text=name).rows() for name in "ab")
    teacher = tl.as_teacher(lengths, kind="values")
    assert len(tl.plan(teacher, one, tmp_path / "texts", shard_rows=10)) == len(tl.plan(teacher, one, tmp_path / "texts", shard_rows=10))
    with pytest.raises(LabelMismatch, match=r"plan of another recording \(choice is a there, b here\)"):
        tl.plan(teacher, other, tmp_path / "texts", shard_rows=10)
    datasets.disable_progress_bars()
    datasets.Dataset.from_pandas(texts[["a"]]).save_to_disk(str(tmp_path / "stored"))
    first, again = (datasets.load_from_disk(str(tmp_path / "stored")).select(range(20)) for _ in range(2))
    plan = tl.plan(teacher, first, tmp_path / "stored labels", shard_rows=10)
    assert tl.plan(teacher, again, tmp_path / "stored labels", shard_rows=10).name == plan.name
    with pytest.raises(LabelMismatch, match=r"plan of another recording \(choice is"):
        tl.plan(teacher, datasets.load_from_disk(str(tmp_path / "stored")).select(range(20, 40)), tmp_path / "stored labels", shard_rows=10)
