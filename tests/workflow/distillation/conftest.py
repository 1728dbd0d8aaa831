"""What tests of small distillations share: how they are made short, and one finished run."""

import os

import pytest
from filelock import FileLock
from short_runs import shortened, small_distillation, unchecked_teachers


@pytest.fixture(scope="module")
def untimed():
    """Runs are shortened, without losing a stage."""
    with shortened():
        yield


@pytest.fixture
def unchecked(untimed):
    """The teacher is not checked either."""
    with unchecked_teachers():
        yield


@pytest.fixture(scope="session")
def half_moons():
    return small_distillation()


@pytest.fixture(scope="session")
def finished(half_moons, tmp_path_factory):
    """A finished run of them, made by the first worker that needs it; no test may write to its folder."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "half-moons"
    with FileLock(f"{folder}.lock"), shortened():
        return half_moons.distill(folder)
