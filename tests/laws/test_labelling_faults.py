"""Whatever goes wrong in a file system, and whoever labels in which order: what is finished is what one process records.

Until then there are errors that name the shard, or the file of the plan, after which the same call may be made again.
"""

import random

import numpy as np
import pytest
from faulty_files import Faults, FaultyFiles, FaultyObjects
from labelling_teachers import sums

import tutelage as tl
from tutelage.core.errors import DamagedFile, LabelMismatch, TutelageError
from tutelage.core.remote import RemotePath

X = np.arange(180.0).reshape(60, 3)
SYSTEMS = {"faulty": FaultyFiles, "oss": FaultyObjects}


def teacher():
    return tl.as_teacher(sums, kind="probabilities", classes=["low", "high"])


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "labels"
    tl.record(teacher(), X, folder, shard_rows=7)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.exhaustive(every=10)
@pytest.mark.parametrize("seed", range(200))
def test_faults_are_errors_that_name_a_file_and_what_is_finished_is_right(alone, seed):
    scheme = ("faulty", "oss")[seed % 2]
    system, draws = SYSTEMS[scheme], random.Random(seed)  # noqa: S311
    folder = RemotePath.of(f"{scheme}://lake/{seed}/labels")
    system.faults = Faults(seed, rate=draws.choice([0.02, 0.1, 0.3]))
    said, workers, finished = [], [], False
    try:
        for _ in range(80):
            try:
                if len(workers) < 3 and draws.random() < 0.5:
                    workers.append(tl.plan(teacher(), X, folder, shard_rows=7))
                elif workers:
                    plan = draws.choice(workers)
                    missing = plan.missing()
                    if missing:
                        plan.label(draws.choice(missing) if draws.random() < 0.9 else draws.randrange(len(plan)))
                    else:
                        finished = len(plan.finish()) == 60
            except TutelageError as error:
                said.append(str(error))
    finally:
        system.flush(system())
    assert all(f"{scheme}://lake/{seed}/labels" in one for one in said), said
    if finished:  # with faults still going on
        there = files_of(folder)
        assert {name: there.get(name) for name in alone} == alone
    assert _mended(folder) == alone


def _mended(folder):
    """What the folder holds after it was done again without faults, and without the files that errors name as damaged."""
    for _ in range(30):
        damaged = _damaged(folder)
        if damaged is None:
            return files_of(folder)
        assert damaged.startswith(str(folder))
        RemotePath.of(damaged).unlink()
    raise AssertionError("it cannot be mended")


def _damaged(folder):
    """The file that an error names; None if all went well."""
    try:
        plan = tl.plan(teacher(), X, folder, shard_rows=7)
        for shard in range(len(plan)):
            plan.label(shard)
        plan.finish()
    except (DamagedFile, LabelMismatch) as error:
        return str(error).split(" ")[0]
    return None
