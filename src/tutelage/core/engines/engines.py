"""Where tasks run: in processes of this machine, on Ray, or wherever an object with `submit` runs functions."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tutelage.core.arguments import number, whole
from tutelage.core.engines.processes import Processes
from tutelage.core.errors import BadInput, require

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS")
"""What libraries read when they are loaded: the number of their threads."""


@dataclass(frozen=True)
class Engine:
    """Where functions run.

    Attributes:
        submit: starts one.
        workers: how many run at once.
    """

    submit: Callable[..., Any]
    workers: int


@dataclass(frozen=True)
class Local:
    """Worker processes on this machine, each of which loads once what its tasks share. One that dies is replaced.

    Attributes:
        workers: number of processes.
        threads: that each computes with; by default the processors of this machine, shared equally. Networks and linear models may differ
            in their last bits between numbers of threads.

    Raises:
        BadInput: not at least 1.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> import tutelage as tl
        >>> from sklearn.linear_model import LinearRegression
        >>> X = np.arange(600.0).reshape(200, 3)
        >>> teacher = LinearRegression().fit(X, X.sum(axis=1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     len(tl.record(teacher, X, f"{folder}/labels", shard_rows=50, on=tl.Local(2)))
        200
    """

    workers: int
    threads: int | None = None

    def __post_init__(self) -> None:
        whole("workers", self.workers, 1)
        if self.threads is not None:
            whole("threads", self.threads, 1)

    @contextmanager
    def started(self) -> Iterator[Engine]:
        """The processes, until the end of the block; they start when there is work for them."""
        threads = self.threads or max(1, (os.cpu_count() or 1) // self.workers)
        processes = Processes({**os.environ, **dict.fromkeys(THREADS, str(threads)), "PYTHONPATH": search_path()})
        pool = ThreadPoolExecutor(self.workers)
        try:
            yield Engine(lambda function, *arguments: pool.submit(processes.run, function, arguments), self.workers)
        finally:
            processes.stop()
            pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True)
class Ray:
    """Workers of a Ray cluster (the extra `ray`), each of which loads once what its tasks share.

    A cluster that runs already is used and left running; otherwise one is started on this machine for as long as it is needed.

    Attributes:
        workers: tasks that run at once.
        cpus: processors that each needs.
        gpus: graphics processors that each needs; parts are allowed, such as 0.25.
        address: of the cluster, as `ray.init` takes it; None is the one that this process is connected to, or a new one.

    Raises:
        BadInput: no worker, or a number below 0. MissingExtra: Ray is not installed, when it is used.

    Example: see `Local`.
    """

    workers: int = 1
    cpus: float = 1
    gpus: float = 0
    address: str | None = None

    def __post_init__(self) -> None:
        whole("workers", self.workers, 1)
        number("cpus", self.cpus, least=0)
        number("gpus", self.gpus, least=0)

    @contextmanager
    def started(self) -> Iterator[Engine]:
        """The cluster, until the end of the block."""
        ray = require("ray")
        was_there = ray.is_initialized()
        if not was_there:
            new = {"num_cpus": max(1, round(self.workers * self.cpus)), "include_dashboard": False} if self.address is None else {}
            ray.init(address=self.address, log_to_driver=False, configure_logging=False, **new)
        environment = {**dict.fromkeys(THREADS, str(max(1, int(self.cpus)))), "PYTHONPATH": search_path()}
        run = ray.remote(_called).options(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0, runtime_env={"env_vars": environment})
        try:
            yield Engine(lambda function, *arguments: run.remote(function, arguments).future(), self.workers)
        finally:
            if not was_there:
                ray.shutdown()


def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return function(*arguments)


def search_path() -> str:
    """Where this process finds modules, the current folder last, as PYTHONPATH tells it to another process."""
    return os.pathsep.join(dict.fromkeys(os.path.abspath(path) for path in [*sys.path, ""]))  # noqa: PTH100 - "" is the current folder


_THIS = secrets.token_hex(8)
"""Another one in each process that was not forked from this one."""


@dataclass(frozen=True)
class _Sent:
    """A function for a process that somebody else started, with the search path of the process that sends it.

    Attributes:
        function: that is called.
        path: see `search_path`.
        sender: which process sends it; it finds its modules itself.
    """

    function: Callable[..., Any]
    path: str = field(default_factory=search_path)
    sender: str = _THIS

    def __call__(self, *arguments: Any) -> Any:
        """Call the function where modules are found as in the process that sent it."""
        if self.sender != _THIS:
            sys.path.extend(path for path in self.path.split(os.pathsep) if path not in sys.path)
        return self.function(*arguments)


def engine_named(text: str) -> Local | Ray:
    """Where tasks run, as it is typed: "local:4" for four processes, "ray:64" for 64 workers; without a number all processors.

    Raises:
        BadInput: another text.
    """
    kind, colon, count = text.partition(":")
    if kind not in ("local", "ray") or not (count.isdecimal() and int(count) if colon else True):
        raise BadInput(f"on is {text!r}; expected local, ray, or one of them with a number of workers, such as local:4.")
    workers = int(count) if count else os.cpu_count() or 1
    return Local(workers) if kind == "local" else Ray(workers)


@contextmanager
def started(on: Any) -> Iterator[Engine]:
    """Where functions run, from what the user passes.

    Raises:
        BadInput: nothing that runs functions.
    """
    check_on(on)
    if isinstance(on, Local | Ray):
        with on.started() as engine:
            yield engine
        return
    yield Engine(lambda function, *arguments: on.submit(_Sent(function), *arguments), workers_of(on))


def check_on(on: Any) -> None:
    """Check that functions can be run on what the user passes.

    Raises:
        BadInput: they cannot. MissingExtra: Ray is not installed.
    """
    if isinstance(on, type) or not (isinstance(on, Local | Ray) or callable(getattr(on, "submit", None))):
        what = f"the class {on.__name__}" if isinstance(on, type) else f"a {type(on).__name__}"
        raise BadInput(
            f"on is {what}; expected tl.Local(workers), tl.Ray(workers=...), or an object with submit(), such as a "
            "concurrent.futures executor or a Dask Client."
        )
    if isinstance(on, Ray):
        require("ray")


def workers_of(on: Any) -> int:
    """How many functions run at once on what the user passes; the number of processors where it does not say."""
    for name in ("_max_workers", "workers"):
        if isinstance(found := getattr(on, name, None), int) and found > 0:
            return found
    threads = getattr(on, "nthreads", None)  # of Dask's Client: {worker: threads}
    return max(1, sum(threads().values())) if callable(threads) else os.cpu_count() or 1
