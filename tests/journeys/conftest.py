"""A Python that has imported the heavy packages of others, and runs each script in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Forks for every line it reads, before it has any thread: a script starts as from the shell, but does not wait for the imports.
_PREPARED = """
import json, os, runpy, sys
import numpy, pandas, pyarrow, sklearn.ensemble, skops.io, torch._dynamo

for line in sys.stdin:
    script, arguments, folder, said, complained = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        for path, stream in ((os.devnull, 0), (said, 1), (complained, 2)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), stream)
        sys.argv = [script, *arguments]
        sys.path[0] = os.path.dirname(script)
        status = 1
        try:
            runpy.run_path(script, run_name="__main__")
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run a script in a folder with these arguments, where a warning is an error."""
    spoken = tmp_path_factory.mktemp("spoken")
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _PREPARED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as prepared:

        def run(script: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
            said, complained = spoken / "stdout", spoken / "stderr"
            for path in (said, complained):
                path.unlink(missing_ok=True)
            command = [str(script), list(arguments), str(folder), str(said), str(complained)]
            prepared.stdin.write(json.dumps(command) + "\n")
            prepared.stdin.flush()
            status = int(prepared.stdout.readline())
            texts = (path.read_text(encoding="utf-8") for path in (said, complained))
            return subprocess.CompletedProcess(command, status, *texts)

        yield run
