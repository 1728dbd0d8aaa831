"""The command line: one verb per stage. Every mistake is one sentence on stderr."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tutelage import __version__
from tutelage.core.errors import BadInput, TutelageError
from tutelage.core.files import check_file_place, write_text
from tutelage.core.records import Parity
from tutelage.core.stages import Advance, Stages

FOLDER = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="tutelage %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def cli(debug: bool) -> None:
    """Teach a small model what a big one knows, prove what was lost and gained, and ship it."""


@cli.command()
@click.argument("recipe")
@click.option("--quick", is_flag=True, help="Fewer rows and seeds, for a look within a minute.")
@click.option("--as-published", is_flag=True, help="mnist: also run the origin's own protocol, mistakes included.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="The first seed.")
@click.option("--seeds", type=click.IntRange(2, 1000), help="How many seeds (moons 20, mnist 5, friedman 10).")
@click.option("--out", type=FOLDER, help="Folder to write; runs/RECIPE by default. An earlier run there is replaced.")
@click.option("--json", "json_path", type=FOLDER, metavar="PATH", help="Also write results.json here; - for standard output.")
@click.option("--fresh", is_flag=True, help="Make everything again instead of starting from what is kept.")
@click.option("--cache", type=FOLDER, envvar="TUTELAGE_CACHE", help="Where teachers and answers are kept; the user's cache by default.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def run(
    *,
    recipe: str,
    quick: bool,
    as_published: bool,
    seed: int,
    seeds: int | None,
    out: Path | None,
    json_path: Path | None,
    fresh: bool,
    cache: Path | None,
    debug: bool,
) -> None:
    """Run a whole experiment: moons, mnist or friedman.

    A teacher learns, its answers are recorded, students learn from them, everything is measured. Prints a table
    and writes results.json, report.html and the students.
    """
    from tutelage.core.records import dumps
    from tutelage.recipes import recipe_named
    from tutelage.recipes.cache import Store
    from tutelage.recipes.recipe import Plan
    from tutelage.recipes.running import run_recipe
    from tutelage.report.table import terminal_table

    to_stdout = json_path is not None and str(json_path) == "-"
    if json_path is not None and not to_stdout:
        check_file_place(json_path)
    known = recipe_named(recipe, further=("report",))
    count = seeds or (known.quick_seeds if quick else known.seeds)
    plan = Plan(tuple(range(seed, seed + count)), quick=quick, as_published=as_published)
    folder = out or Path("runs") / "-".join([recipe, *["quick"] * quick, *["as-published"] * as_published])
    record = run_recipe(known, plan, out=folder, store=Store(cache or _user_cache(), fresh=fresh), stages=ShownStages())
    Console(stderr=to_stdout).print(terminal_table(record))
    if json_path is not None:
        text = dumps(record.to_json())
        click.echo(text, nl=False) if to_stdout else write_text(json_path, text)
    click.echo(f"Report: {folder / 'report.html'}", err=to_stdout)


@cli.command()
@click.argument("run", type=FOLDER)
@click.argument("file", type=FOLDER)
@click.option("--arm", help="Which student; the recipe's main one by default.")
@click.option("--seed", type=int, help="Of which seed; the first by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def export(*, run: Path, file: Path, arm: str | None, seed: int | None, as_json: bool, debug: bool) -> None:
    """Write a student of the folder RUN as the ONNX file FILE, after comparing the two on 10 000 rows.

    The record of the comparison is written beside it, as FILE.json.
    """
    from dataclasses import asdict

    from tutelage.core.errors import require_extras
    from tutelage.core.records import dumps
    from tutelage.export.parity import export_onnx
    from tutelage.recipes.running import kept_student

    if file.suffix != ".onnx":
        raise BadInput(f"{file} does not end in .onnx; that is the only format so far. Name it {file.with_suffix('.onnx').name}.")
    require_extras(["onnx"])
    check_file_place(file)
    student, rows = kept_student(run, arm=arm, seed=seed)
    parity = export_onnx(student, file, check_on=rows)
    record = {"schema": 1, "file": file.name, "size_bytes": file.stat().st_size, "parity": asdict(parity)}
    write_text(file.with_name(file.name + ".json"), dumps(record))
    if as_json:
        click.echo(dumps(record), nl=False)
    else:
        click.echo(f"{file}: {record['size_bytes']:,} bytes. {_told(parity)}")


def _told(parity: Parity) -> str:
    """What a comparison found, for a reader."""
    return (
        f"Compared with the student on {parity.rows:,} rows and {parity.edge_rows:,} edge rows: worst difference "
        f"{parity.worst_difference:.2g} (allowed {parity.tolerance:g}), {parity.decisions_changed} decisions changed."
    )


class ShownStages(Stages):
    """Stages with a rich progress bar on stderr; a line each where stderr is no terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.console = Console(stderr=True)

    @contextmanager
    def shown(self, name: str, steps: int) -> Iterator[Advance]:
        """A bar while the stage runs."""
        if not self.console.is_terminal:
            click.echo(f"{name} ...", err=True)
            yield lambda: None
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console) as progress:
            task = progress.add_task(name, total=steps)
            yield lambda: progress.advance(task)
            progress.update(task, completed=steps)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 2 for a mistake, 130 for Ctrl-C, 143 for SIGTERM, 1 for a bug."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with _terminated():
            result = cli.main(given, prog_name="tutelage", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, click.Abort, Terminated) as stop:
        if debug:
            raise
        status = 143 if isinstance(stop, Terminated) else 130
        return _complain("stopped; nothing half-written is left behind, and the next run starts from what is kept.", status)
    except click.ClickException as error:
        return _complain(_one_line(error.format_message()), 2)
    except (TutelageError, OSError) as error:
        if debug:
            raise
        return _complain(_one_line(str(error)), 2)
    except Exception as error:
        if debug:
            raise
        return _complain(
            f"{type(error).__name__}: {_one_line(str(error))} This is a bug in tutelage; run again with --debug to see where.", 1
        )


def entry() -> None:
    """The console script: `main`, then leave at once with its status."""
    status = main()
    sys.stdout.flush()
    sys.exit(status)


class Terminated(BaseException):
    """SIGTERM arrived; unwinds like Ctrl-C."""


@contextmanager
def _terminated() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that drafts are removed on the way out."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: leave signals alone
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _user_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("tutelage")) / "kept"


def _complain(sentence: str, status: int) -> int:
    click.echo(f"tutelage: {sentence}", err=True)
    return status


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    entry()
