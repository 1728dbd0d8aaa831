"""`tutelage run`: run a whole experiment."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from tutelage.cli.options import FOLDER, debug_option, echo
from tutelage.core.file_systems.places import check_file_place
from tutelage.core.file_systems.whole_files import write_text
from tutelage.core.running.progress import DisplayedStages
from tutelage.experiments import PAPERS


@click.command(epilog=f"Papers: {', '.join(PAPERS)}.")
@click.argument("recipe")
@click.option("--quick", is_flag=True, help="Use fewer rows and seeds, for a preview within a minute.")
@click.option("--as-published", is_flag=True, help="mnist only: also run the protocol of the original demo, mistakes included.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="First seed.")
@click.option(
    "--seeds",
    type=click.IntRange(2, 1000),
    help="Number of seeds; by default that of the experiment: 20 for moons, 5 to 10 for most others.",
)
@click.option(
    "--data", type=FOLDER, help="Folder of the four Fashion-MNIST files, for runs that read them; unlabelled reads 20 newsgroups there too."
)
@click.option("--out", type=FOLDER, help="Folder to write; runs/RECIPE by default. An earlier run there is replaced.")
@click.option(
    "--json",
    "json_path",
    type=FOLDER,
    metavar="PATH",
    help="Also write results.json, or a paper's paper.json, to this file; - for standard output.",
)
@click.option("--fresh", is_flag=True, help="Compute everything again instead of using the cache.")
@click.option("--cache", type=FOLDER, envvar="TUTELAGE_CACHE", help="Folder of cached teachers and answers; the user's cache by default.")
@debug_option
def run(
    *,
    recipe: str,
    quick: bool,
    as_published: bool,
    seed: int,
    seeds: int | None,
    data: Path | None,
    out: Path | None,
    json_path: Path | None,
    fresh: bool,
    cache: Path | None,
    debug: bool,
) -> None:
    """Run a whole experiment: moons, mnist, friedman, tiny, tiny-fashion, or the tables of a paper.

    The experiment trains a teacher, records its answers, trains students on them, and measures everything. It
    prints a table and writes results.json, report.html and the students. A paper's run writes paper.json and report.html, and
    keeps no students.
    """
    from tutelage.core.records import dumps
    from tutelage.experiments import paper_named, recipe_named
    from tutelage.experiments.cache import Store
    from tutelage.experiments.papers.paper import Paper
    from tutelage.experiments.papers.running import run_paper
    from tutelage.experiments.recipe import Plan, Recipe
    from tutelage.experiments.running import run_recipe
    from tutelage.report.papers.page import paper_table
    from tutelage.report.papers.records import PaperRecord
    from tutelage.report.records import RunRecord
    from tutelage.report.table import terminal_table

    to_stdout = json_path is not None and str(json_path) == "-"
    if json_path is not None and not to_stdout:
        check_file_place(json_path, read=[] if data is None else [one for one in data.glob("*") if one.suffix != ".json"])
    known: Paper | Recipe = paper_named(recipe, further=("report",)) if recipe in PAPERS else recipe_named(recipe, further=("report",))
    count = seeds or (known.quick_seeds if quick else known.seeds)
    plan = Plan(tuple(range(seed, seed + count)), quick=quick, as_published=as_published, data=data)
    folder = out or Path("runs") / "-".join([recipe, *["quick"] * quick, *["as-published"] * as_published])
    store, stages = Store(cache or _user_cache(), fresh=fresh), DisplayedStages()
    record: RunRecord | PaperRecord
    if isinstance(known, Recipe):
        record = run_recipe(known, plan, out=folder, store=store, stages=stages)
        shown = terminal_table(record)
    else:
        record = run_paper(known, plan, out=folder, store=store, stages=stages)
        shown = paper_table(record)
    Console(stderr=to_stdout).print(shown)
    if json_path is not None:
        text = dumps(record.to_json())
        echo(text, nl=False) if to_stdout else write_text(json_path, text)
    echo(f"Report: {folder / 'report.html'}", err=to_stdout)


def _user_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("tutelage")) / "results"
