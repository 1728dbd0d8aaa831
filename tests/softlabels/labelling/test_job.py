"""What a process that labels opens: the plan and the teacher once, the files of the teacher alone, and nothing of a finished recording."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import tutelage as tl
from tutelage.core.engines.engines import search_path
from tutelage.core.file_systems.paths import RemotePath
from tutelage.softlabels.labelling.job import Job, label_shard

X = np.arange(300.0).reshape(100, 3)
TEACHER = GaussianNB().fit(X, np.arange(100) % 3)


def planned(folder):
    plan = tl.plan(TEACHER, X, folder, shard_rows=30)
    return plan, Job.of(plan)


def rows_of(index):
    return X[30 * index : 30 * index + 30]


@pytest.mark.parametrize("where", ["here", "memory"])
def test_a_process_that_comes_after_the_end_has_nothing_to_do(tmp_path, where):
    plan, job = planned(tmp_path / "labels" if where == "here" else "memory://lake/late")
    for index in range(4):
        plan.label(index)
    plan.finish()
    assert label_shard(job, 2, 1, rows_of(2)) == 2


def test_of_a_plan_elsewhere_the_files_of_the_teacher_alone_are_fetched(monkeypatch):
    plan, job = planned("memory://lake/fetched")
    for index in range(3):
        plan.label(index)
    fetched, read = [], RemotePath.read_bytes
    monkeypatch.setattr(RemotePath, "read_bytes", lambda path: fetched.append(path.name) or read(path))
    job.opened()
    assert fetched == ["teacher.skops"]


def test_threads_share_one_teacher_of_each_job_and_label_by_their_own(tmp_path, monkeypatch):
    (one, of_one), (other, of_other) = planned(tmp_path / "one"), planned(tmp_path / "other")
    opened, both = [], threading.Barrier(2)

    def counted(job, opened_of=Job.opened):
        opened.append(job.folder.name)
        return opened_of(job)

    def label(job):
        both.wait(timeout=30)
        return [label_shard(job, index, 1, rows_of(index)) for index in range(4)]

    monkeypatch.setattr(Job, "opened", counted)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(label, (of_one, of_one))) == [[0, 1, 2, 3]] * 2
        assert opened == ["one"]
        assert list(threads.map(label, (of_one, of_other))) == [[0, 1, 2, 3]] * 2
    assert one.missing() == other.missing() == []


def test_a_worker_loads_no_package_that_its_teacher_does_not_need():
    loaded = "import sys, tutelage.softlabels.labelling.job; print({'sklearn', 'pandas', 'torch'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": search_path()}
    assert subprocess.run([sys.executable, "-c", loaded], env=environment, capture_output=True, text=True, check=True).stdout == "set()\n"
