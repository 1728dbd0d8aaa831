"""Run a paper from its plan to its folder: either all results are written or nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path

from joblib import cpu_count

from tutelage.core.environment import environment
from tutelage.core.errors import BadInput
from tutelage.core.file_systems.places import check_apart
from tutelage.core.file_systems.whole_folders import check_whole_folder, whole_folder
from tutelage.core.records import dumps
from tutelage.core.running.stages import Stages
from tutelage.experiments.cache import Store, check_store
from tutelage.experiments.papers.paper import Findings, Paper
from tutelage.experiments.recipe import Plan
from tutelage.experiments.running import PAPER_RESULTS, is_run, seconds_of
from tutelage.report.papers.page import render_paper
from tutelage.report.papers.records import PaperRecord


def run_paper(paper: Paper, plan: Plan, *, out: Path, store: Store, stages: Stages) -> PaperRecord:
    """Run a paper's tables again and write paper.json and report.html.

    Args:
        paper: from `recipe_named`.
        plan: seeds and size.
        out: the folder to write; an earlier run there is replaced once this one is complete.
        store: the cache of networks and answers: a run that was killed goes on from it.
        stages: measures and displays each stage.

    Raises:
        BadInput: the paper does not support the plan. CannotWrite: a folder cannot be written; raised before any work.
            DamagedFile, StaleCache: the data or a cache entry cannot be used.
    """
    if len(plan.seeds) < 2:
        raise BadInput(f"{len(plan.seeds)} seed gives no interval and therefore no verdict; use 2 seeds or more.")
    if plan.data is not None and not paper.takes_data:
        raise BadInput(f"{paper.name} includes its data. Leave --data out.")
    if plan.as_published:
        raise BadInput(f"{paper.name} has no separate published protocol; only mnist has one. Leave --as-published out.")
    check_whole_folder(out, may_replace=is_run, read=(plan.data, store.root))
    check_store(store.root)
    check_apart(out, store.root, may_hold=True)
    with tempfile.TemporaryDirectory(prefix="tutelage-") as folder:
        logged = replace(store, log=Path(folder) / "entries")
        findings = paper.run(plan, logged, stages)
        record = _record(paper, plan, findings, {**seconds_of(stages), "from the cache": round(logged.seconds_before(), 1)})
    with whole_folder(out, may_replace=is_run) as draft:
        (draft / PAPER_RESULTS).write_text(dumps(record.to_json()), encoding="utf-8")
        (draft / "report.html").write_text(render_paper(record), encoding="utf-8")
    return record


def _record(paper: Paper, plan: Plan, findings: Findings, seconds: Mapping[str, float]) -> PaperRecord:
    found = {field.name: getattr(findings, field.name) for field in fields(Findings)}
    found |= {name: json.loads(dumps(found[name])) for name in ("data", "budget")}  # the same when the record is read again
    return PaperRecord(
        name=paper.name,
        title=paper.title,
        summary=paper.summary,
        source=paper.source,
        date=datetime.now().astimezone().date().isoformat(),
        options={"seed": plan.seeds[0], "seeds": len(plan.seeds), "quick": plan.quick},
        environment={**environment("tutelage", "numpy", "scikit-learn", "torch"), "processors": str(cpu_count())},
        seconds=seconds,
        **found,
    )
