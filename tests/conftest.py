"""What all tests share: seeds, threads, the order of tests on request, and finished runs that many tests look at."""

import json
import os
import random
import subprocess
import sys
import sysconfig
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.doctest import DoctestModule
from filelock import FileLock
from hypothesis import settings

import tutelage
from tutelage.cli import main

# The same cases on every run, so that a change is judged by what it changed; TUTELAGE_EXPLORE=1 draws new ones. Few without --all, as of
# the tests marked exhaustive.
settings.register_profile("few", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("all", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("explore", deadline=None)
settings.load_profile("few")  # for what is imported before the options are known


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reverse", action="store_true", help="run the tests in the opposite order: none may need another before it")
    parser.addoption("--all", action="store_true", help="run every case of the tests marked exhaustive, of which few are run otherwise")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("explore" if os.environ.get("TUTELAGE_EXPLORE") else "all" if _runs_all(config) else "few")


def _runs_all(config: pytest.Config) -> bool:
    """Whether every case is run: --all, or of a test that is named."""
    return config.getoption("all") or any("::" in argument for argument in config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Give each worker one thread: the threads of workers that share the processors would wait for each other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not _runs_all(config):
        _leave_out_cases(config, items)
    if config.getoption("reverse"):
        items.reverse()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """Look for examples in the package alone: here there are none, and modules that tests share would be loaded twice."""
    found = yield
    return [one for one in found if not isinstance(one, DoctestModule)]


def _leave_out_cases(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked `exhaustive`; of the cases of a test marked `exhaustive(every=n)`, all but each n-th."""
    seen: Counter[str] = Counter()
    left_out = []
    for item in items:
        marker = item.get_closest_marker("exhaustive")
        if marker is not None:
            test = item.nodeid.partition("[")[0]
            if "every" not in marker.kwargs or seen[test] % marker.kwargs["every"]:
                left_out.append(item)
            seen[test] += 1
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        names = {item.nodeid for item in left_out}
        items[:] = [item for item in items if item.nodeid not in names]


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What a test draws without a seed does not depend on the tests before it."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - scikit-learn draws from it where it is given no random_state
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


def _finished(tmp_path_factory: pytest.TempPathFactory, recipe: str, run_command: Callable[[list[str]], int] = main) -> Finished:
    """A quick run, made through the command line by the first worker that needs it, in a cache of its own."""
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    place.mkdir(exist_ok=True)
    run = Finished(place / recipe, place / f"{recipe}-cache", (recipe, "--quick"))
    with FileLock(place / f"{recipe}.lock"):
        if not run.folder.exists():  # a run's folder appears when it is whole
            assert run_command(["run", *run.options, "--out", str(run.folder), "--cache", str(run.cache)]) == 0
    return run


@pytest.fixture(scope="session")
def moons(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "moons")


@pytest.fixture(scope="session")
def mnist(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "mnist")


@dataclass(frozen=True)
class Python:
    """A Python with all packages of this one except torch."""

    packages: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess:
        source = Path(tutelage.__file__).parents[1]
        environment = {**os.environ, "PYTHONPATH": f"{self.packages}{os.pathsep}{source}"}
        return subprocess.run([sys.executable, "-S", *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def python_without_torch(tmp_path_factory: pytest.TempPathFactory) -> Python:
    packages = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("torch", "functorch", "tutelage", "_tutelage", "__editable__")):
            (packages / entry.name).symlink_to(entry)
    return Python(packages)


@pytest.fixture(scope="session")
def friedman(tmp_path_factory: pytest.TempPathFactory, python_without_torch: Python) -> Finished:
    """Made without torch, which it does not need."""

    def run_command(arguments: list[str]) -> int:
        finished = python_without_torch("-m", "tutelage", *arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.returncode

    return _finished(tmp_path_factory, "friedman", run_command)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _finished(tmp_path_factory, "tiny")


@pytest.fixture(scope="session")
def _ray() -> Iterator[Any]:
    found = pytest.importorskip("ray", reason="the extra ray is not installed")
    yield found
    found.shutdown()


@pytest.fixture
def ray(_ray: Any) -> Any:
    """Ray with a cluster on this machine: the first test that needs it starts it, and it runs until all tests have ended."""
    if not _ray.is_initialized():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False, object_store_memory=100 << 20)
    return _ray


@dataclass(frozen=True)
class ObjectStore:
    """An S3 server on this machine, and what it was asked."""

    client: Any
    requests: list[str]

    def asked(self, call: Callable[[], Any]) -> Counter[str]:
        """How many requests of each kind a call makes: GET of a listing is LIST."""
        self.requests.clear()
        call()
        verbs = ["LIST" if "list-type=2" in line else line.partition(" ")[0] for line in self.requests]
        return Counter(verbs)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """moto's S3 server with the bucket `lake`; s3:// is asked there by whatever this session starts from now on."""
    server = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    from werkzeug.serving import WSGIRequestHandler

    requests: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WSGIRequestHandler, "log_request", lambda self, *_: requests.append(self.requestline))
        threaded = server.ThreadedMotoServer(port=0, verbose=False)
        threaded.start()
        host, port = threaded.get_host_and_port()
        patch.setenv("AWS_ACCESS_KEY_ID", "key-of-the-test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        yield ObjectStore(client, requests)
        threaded.stop()
