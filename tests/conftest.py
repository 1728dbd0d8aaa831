"""Finished runs that several tests look at: made once, through the command line, in a cache of their own."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from tutelage.cli import main

# The same cases on every run, so that a change is judged by what it changed; TUTELAGE_EXPLORE=1 draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("TUTELAGE_EXPLORE") else "same")


@pytest.fixture(autouse=True)
def _draws_the_same() -> None:
    """Weights that a test draws without a seed of its own are those of its last run."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@dataclass(frozen=True)
class Finished:
    """A run's folder, its cache, and what results.json says."""

    folder: Path
    cache: Path
    options: tuple[str, ...]

    @property
    def results(self) -> dict:
        return json.loads((self.folder / "results.json").read_text(encoding="utf-8"))

    def arm(self, name: str) -> dict:
        return next(arm for arm in self.results["arms"] if arm["name"] == name)


def _finished(tmp_path_factory: pytest.TempPathFactory, *options: str) -> Finished:
    place = tmp_path_factory.mktemp(options[0])
    run = Finished(place / "run", place / "cache", options)
    assert main(["run", *options, "--out", str(run.folder), "--cache", str(run.cache)]) == 0
    return run


@pytest.fixture(scope="session")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "moons", "--quick")


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "mnist", "--quick")


@pytest.fixture(scope="session")
def friedman(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "friedman", "--quick")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "tiny", "--quick")
