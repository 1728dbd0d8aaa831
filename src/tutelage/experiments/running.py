"""Run a recipe from its plan to its folder: train, evaluate, measure cost, and write either all results or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import path as path_of
from tutelage.core.environment import environment
from tutelage.core.errors import BadInput, DamagedFile
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.file_systems.places import check_apart, is_empty
from tutelage.core.file_systems.whole_folders import check_whole_folder, recover_folder, whole_folder
from tutelage.core.records import Cost, Parity, dumps
from tutelage.core.running.stages import Advance, Stages
from tutelage.core.stored.checksums import read_json
from tutelage.data.rows import as_rows
from tutelage.evaluation.cost import measure_cost
from tutelage.experiments import recipe_named
from tutelage.experiments.cache import Store, check_store
from tutelage.experiments.recipe import Outcome, Plan, Recipe
from tutelage.experiments.scorecard import Measured, arm_of, compare
from tutelage.exporters.export import export
from tutelage.exporters.targets.onnx.runtime import OnnxStudent
from tutelage.report.page import render_page
from tutelage.report.playground.records import Playground
from tutelage.report.records import SCHEMA, Figures, RunRecord
from tutelage.students.saved.save_load import load_student, save_student
from tutelage.students.saved.trained_folder import TRAINED
from tutelage.workflow.playground import playground_of
from tutelage.workflow.train import rows_to_check

RESULTS, PAPER_RESULTS = "results.json", "paper.json"
CHECK_ROWS = 10_000
TIMING, QUICK_TIMING = 0.3, 0.03
"""Seconds that measuring each of the two latencies of a file may take, about."""
EXAMPLES = 12
"""Test rows that the page lets its reader start from."""
TEACHER_CHECK_ROWS = 500  # enough to check the file whose latency is measured; the teacher is not exported


def run_recipe(recipe: Recipe, plan: Plan, *, out: Path, store: Store, stages: Stages) -> RunRecord:
    """Run a recipe and write its folder: results.json, figures.json, report.html and students/.

    Args:
        recipe: from `recipe_named`.
        plan: seeds and size.
        out: the folder to write; an earlier run there is replaced once this one is complete.
        store: the cache of teachers and answers.
        stages: measures and displays each stage.

    Raises:
        BadInput: the recipe does not support the plan. CannotWrite: a folder cannot be written; raised before any work.
            DamagedFile, StaleCache: the data or a cache entry cannot be used. ParityError: an exported file does not match
            its model.
    """
    _check_plan(recipe, plan)
    check_whole_folder(out, may_replace=is_run, read=(plan.data, store.root))
    check_store(store.root)
    check_apart(out, store.root, may_hold=True)
    outcome = recipe.run(plan, store, stages)
    with stages.stage("export and cost", len(outcome.arms)) as advance:
        rows = recipe.check_rows(plan.seeds[0], plan.data)[: recipe.quick_check_rows if plan.quick else CHECK_ROWS]
        arms = _with_costs(outcome, rows, budget_seconds=QUICK_TIMING if plan.quick else TIMING, advance=advance)
    with stages.stage("playground"):
        playground = _playground(recipe, outcome, rows)
    with whole_folder(out, may_replace=is_run) as draft:
        with stages.stage("save students", len(outcome.arms)) as advance:
            _save_students(draft / "students", outcome, advance)
        record = _record(recipe, plan, replace(outcome, arms=arms), stages)
        page = render_page(record, outcome.figures, playground)
        (draft / RESULTS).write_text(dumps(record.to_json()), encoding="utf-8")
        (draft / "figures.json").write_text(dumps(_figures_json(outcome.figures)), encoding="utf-8")
        (draft / "report.html").write_text(page, encoding="utf-8")
    return record


def saved_student(
    run: Path, *, arm: str | None = None, seed: int | None = None, data: AnyPath | None = None, network: Any = None
) -> tuple[Any, NDArray[np.floating[Any]]]:
    """A student of a finished run, and the rows on which to check its export.

    Args:
        run: a folder that `run_recipe` wrote, or the folder of a single student that `train` wrote.
        arm: which student; the recipe's main student by default.
        seed: which seed; the first by default.
        data: for a single student, a file of rows (see `rows_to_check`); for a recipe that takes data, the folder of data.
        network: for a single student, builds its torch network, where its file has the weights alone.

    Raises:
        BadInput: the folder is not a run, or the run has no such arm or seed. DamagedFile: its files are damaged.
    """
    recover_folder(run)
    if (run / TRAINED).is_file():
        if arm is not None or seed is not None:
            raise BadInput(f"{run} holds one student, so there is no arm or seed to choose; leave both out.")
        return rows_to_check(run, CHECK_ROWS, data, network)
    if network is not None:
        raise BadInput(f"network= is given, and {run} holds the students of a recipe, which are read without it; leave it out.")
    results = _results(run)
    recipe = recipe_named(str(results["recipe"]))
    if data is not None and not recipe.takes_data:
        raise BadInput(f"{run} is a run of the recipe {recipe.name}, which provides the rows for the check; leave the data out.")
    seeds = {str(entry["name"]): list(entry["seeds"]) for entry in results["arms"] if not str(entry["name"]).startswith("teacher")}
    arm = recipe.student if arm is None else arm
    if arm not in seeds:
        raise BadInput(f"{run} has no student {arm!r}; there are {', '.join(seeds)}.")
    seed = seeds[arm][0] if seed is None else seed
    if seed not in seeds[arm]:
        raise BadInput(f"{run} has no seed {seed} of {arm}; there are {', '.join(map(str, seeds[arm]))}.")
    stem = _stem(arm, seed)
    files = [path for path in (run / "students").glob(f"{stem}.*") if path.name.removeprefix(stem) in (".safetensors", ".skops")]
    if len(files) != 1:
        raise DamagedFile(f"{run / 'students'} holds {len(files)} files for {stem}; expected one. Run the recipe again.")
    given = None if data is None else path_of("data", data)
    return load_student(files[0]), recipe.check_rows(seed, given)[:CHECK_ROWS]


def _results(run: Path) -> dict[str, Any]:
    path = run / RESULTS
    if (run / PAPER_RESULTS).is_file():
        raise BadInput(
            f"{run} holds a paper's figures and no students. Name a folder that `tutelage train` or a recipe such as mnist wrote."
        )
    if not run.is_dir():
        raise BadInput(f"there is no folder {run}; name one that `tutelage run` or `tutelage train` wrote.")
    if not path.is_file():
        raise BadInput(f"{run} is not a run: it has no {RESULTS}. Name a folder that `tutelage run` or `tutelage train` wrote.")
    results = read_json(path, schema=SCHEMA, remedy="Run the recipe again.")
    arms = results.get("arms")
    if not isinstance(results.get("recipe"), str) or not isinstance(arms, list) or not all({"name", "seeds"} <= set(arm) for arm in arms):
        raise DamagedFile(f"{path} holds no results of a run. Run the recipe again.")
    return results


def _check_plan(recipe: Recipe, plan: Plan) -> None:
    if len(plan.seeds) < 2:
        raise BadInput(f"{len(plan.seeds)} seed gives no interval and therefore no verdict; use 2 seeds or more.")
    if plan.data is not None and not recipe.takes_data:
        raise BadInput(f"{recipe.name} includes its data. Leave --data out.")
    if plan.as_published and not recipe.has_published_protocol:
        raise BadInput(f"{recipe.name} has no separate published protocol; only mnist has one. Leave --as-published out.")
    if plan.as_published and plan.quick:
        raise BadInput("--as-published runs the exact protocol of the original demo, --quick a shorter one; choose one of the two.")


def is_run(folder: Path) -> bool:
    """Whether a folder is empty or holds a run, which another may replace."""
    return is_empty(folder) or any((folder / name).is_file() for name in (RESULTS, PAPER_RESULTS))


def _stem(arm: str, seed: int) -> str:
    return f"{arm}-seed{seed}"


def _with_costs(outcome: Outcome, rows: NDArray[np.float32], *, budget_seconds: float, advance: Advance) -> tuple[Measured, ...]:
    """The arms with the cost and the parity of the exported file of their first seeds; a model of two arms is exported once."""
    arms: list[Measured] = []
    done: dict[int, tuple[Cost, Parity]] = {}
    for measured in outcome.arms:
        model = outcome.models[measured.name][0]
        if id(model) not in done:
            done[id(model)] = _cost_and_parity(measured.name, model, rows, budget_seconds=budget_seconds)
        cost, parity = done[id(model)]
        arms.append(replace(measured, cost=cost, parity=parity))
        advance()
    return tuple(arms)


def _cost_and_parity(name: str, model: Any, rows: NDArray[np.float32], *, budget_seconds: float) -> tuple[Cost, Parity]:
    """The cost and the parity of a model's exported file."""
    if name.startswith("teacher"):
        rows = rows[:TEACHER_CHECK_ROWS]
    with tempfile.TemporaryDirectory(prefix="tutelage-") as folder:
        path = Path(folder) / "model.onnx"
        (parity,) = export(model, path, check_on=rows, compared_rows=len(rows)).proofs
        student = OnnxStudent.load(path)
        size_bytes = path.stat().st_size
        cost = measure_cost(student, student.answer, as_rows(rows), size_bytes=size_bytes, budget_seconds=budget_seconds)
    return cost, parity


def _playground(recipe: Recipe, outcome: Outcome, rows: NDArray[np.float32]) -> Playground:
    """The main student of a recipe, and its first test rows with the teacher's answers."""
    student, teacher, examples = outcome.models[recipe.student][0], outcome.models["teacher"][0], rows[:EXAMPLES]
    answers = teacher.predict_proba(examples) if hasattr(teacher, "predict_proba") else teacher.predict(examples)
    names = [f"test row {place}" for place in range(len(examples))]
    return playground_of(student, rows, examples=examples, teacher=answers, names=names, picture=recipe.picture)


def _save_students(folder: Path, outcome: Outcome, advance: Advance) -> None:
    folder.mkdir()
    for arm in outcome.arms:
        if not arm.name.startswith("teacher"):
            for seed, student in zip(arm.seeds, outcome.models[arm.name], strict=True):
                save_student(student, folder / _stem(arm.name, seed))
        advance()


def _record(recipe: Recipe, plan: Plan, outcome: Outcome, stages: Stages) -> RunRecord:
    measured = {arm.name: arm for arm in outcome.arms}
    return RunRecord(
        recipe=recipe.name,
        title=recipe.title,
        summary=recipe.summary,
        headline=recipe.headline,
        options={"seed": plan.seeds[0], "seeds": len(plan.seeds), "quick": plan.quick, "as_published": plan.as_published},
        protocol=outcome.protocol,
        data=outcome.data,
        environment=environment("tutelage", "numpy", "scikit-learn", "torch", "onnxruntime"),
        arms=tuple(arm_of(arm, outcome.test) for arm in outcome.arms),
        comparisons=tuple(compare(measured[a], measured[b], outcome.test, question) for a, b, question in outcome.pairs),
        seconds=seconds_of(stages),
        published=outcome.published,
        by_labels=outcome.by_labels,
    )


def seconds_of(stages: Stages) -> dict[str, float]:
    """The seconds of every stage, and of the whole run."""
    return {name: round(seconds, 3) for name, seconds in {"total": stages.total(), **stages.seconds}.items()}


def _figures_json(figures: Figures) -> Mapping[str, Any]:
    return {"schema": SCHEMA, **asdict(figures)}
