"""Whatever goes wrong in a file system, and whoever labels in which order: what is finished is what one process records.

Until then there are errors that name the shard, or the file of the plan, after which the same call may be made again.
"""

import random

import numpy as np
import pytest
from faulty_files import KINDS, Faults, FaultyFiles, FaultyObjects
from labelling_teachers import sums

import tutelage as tl
from tutelage.core.errors import DamagedFile, LabelMismatch, TutelageError
from tutelage.core.file_systems.paths import RemotePath

X = np.arange(180.0).reshape(60, 3)
SYSTEMS = {"faulty": FaultyFiles, "oss": FaultyObjects}


def teacher():
    return tl.as_teacher(sums, kind="probabilities", classes=["low", "high"])


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def held_by(system, folder):
    """The files in a folder as they are, whatever goes wrong."""
    above = f"/lake/{folder.parent.name}/labels/"
    return {path.partition(above)[2]: file.getvalue() for path, file in system.store.items() if above in path}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone") / "labels"
    tl.record(teacher(), X, folder, shard_rows=7)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.exhaustive(every=10)
@pytest.mark.parametrize("seed", range(200))
def test_faults_are_errors_that_name_a_file_and_what_is_finished_is_right(alone, seed):
    case = seed // 10  # on each file system, each fault often, and all of them together
    scheme, kinds = ("faulty", "oss")[case % 2], (KINDS if case > 15 else (KINDS[case // 2],))
    system, draws = SYSTEMS[scheme], random.Random(seed)  # noqa: S311
    folder = RemotePath.of(f"{scheme}://lake/{seed}/labels")
    system.faults = Faults(seed, rate=draws.choice([0.02, 0.1, 0.3]) if kinds == KINDS else 0.4, kinds=kinds)
    said, workers, finished = [], [], 0
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
                        plan.finish()
                        held = held_by(system, folder)
                        assert {name: held.get(name) for name in alone} == alone
                        finished += 1
                        if finished == 5 and kinds != KINDS:  # later faults of all kinds meet what is finished
                            break
            except TutelageError as error:
                said.append(str(error))
    finally:
        system.flush(system())
    assert all(f"{scheme}://lake/{seed}/labels" in one for one in said), said
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
