import os
from pathlib import Path

import pytest

from tutelage.core.errors import BadInput, CannotWrite
from tutelage.core.running.stages import Stages
from tutelage.experiments import PAPERS, paper_named, recipe_named
from tutelage.experiments.cache import Store
from tutelage.experiments.papers.running import run_paper
from tutelage.experiments.recipe import Plan
from tutelage.experiments.running import run_recipe, saved_student
from tutelage.report.papers.records import read_record
from tutelage.report.papers.words import outcome

LEARNT = ("stanton2021", "cho2019", "mirzadeh2020", "zhang2018", "furlanello2018", "beyer2022")
"""Runs in which every arm learns all ten classes, so that none is wrong as often as chance, which is 90 %."""
WITHOUT_DATA = ("unlabelled",)
"""Papers that run without the data that they would take."""


def quick_run(name, folder, *, seeds=None):
    paper = paper_named(name)
    data = os.environ.get("TUTELAGE_FASHION_MNIST") if paper.takes_data else None
    if paper.takes_data and data is None and name not in WITHOUT_DATA:
        pytest.skip("the real files are not here")
    plan = Plan(tuple(range(seeds or paper.quick_seeds)), quick=True, data=Path(data) if data else None)
    return run_paper(paper, plan, out=folder / "run", store=Store(folder / "cache"), stages=Stages())


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PAPERS)
def test_the_quick_form_of_every_paper_gives_a_whole_record(name, tmp_path):
    record = quick_run(name, tmp_path)
    assert read_record(tmp_path / "run" / "paper.json") == record
    assert record.name == name
    assert record.options["quick"]
    assert all(measure.values for measure in record.measures)
    intervals = [(measure.interval, measure.mean) for measure in record.measures if measure.interval is not None]
    assert all(interval.low <= mean <= interval.high for interval, mean in intervals)
    assert record.claims
    assert record.protocol
    assert record.deviations
    assert len({measure.name for measure in record.measures}) == len(record.measures)
    if name in LEARNT:
        errors = [measure for measure in record.measures if measure.unit == "test errors"]
        assert errors
        assert all(max(measure.values) < 0.6 * record.data["test rows"] for measure in errors)
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(outcome(claim) in page for claim in record.claims)


@pytest.mark.exhaustive
def test_a_run_is_repeated_from_the_cache_with_the_same_figures_and_replaces_the_folder(tmp_path):
    first = quick_run("controls", tmp_path, seeds=2)
    entries = sorted(path.name for path in (tmp_path / "cache").iterdir())
    again = quick_run("controls", tmp_path, seeds=2)
    assert again.measures == first.measures
    assert again.claims == first.claims
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == entries
    with pytest.raises(BadInput, match="holds a paper's figures and no students"):
        saved_student(tmp_path / "run")


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (Plan((0,)), "1 seed gives no interval"),
        (Plan((0, 1), data=Path("rows")), "menon2021 includes its data"),
        (Plan((0, 1), as_published=True), "has no separate published protocol"),
    ],
)
def test_a_plan_that_a_paper_does_not_have_is_refused_before_any_work(plan, sentence, tmp_path):
    with pytest.raises(BadInput, match=sentence):
        run_paper(paper_named("menon2021"), plan, out=tmp_path / "run", store=Store(tmp_path / "cache"), stages=Stages())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("cache", ["run", "run/cache"])
@pytest.mark.parametrize("name", ["menon2021", "moons"])
def test_a_cache_inside_the_folder_of_the_run_is_refused_before_any_work(name, cache, tmp_path):
    run = {"out": tmp_path / "run", "store": Store(tmp_path / cache), "stages": Stages()}
    with pytest.raises(CannotWrite, match=r"cache= is .*, a folder of results, .*\. Choose another folder for one"):
        run_recipe(recipe_named(name), Plan((0, 1)), **run) if name == "moons" else run_paper(paper_named(name), Plan((0, 1)), **run)
    assert not any(tmp_path.iterdir())


def test_an_unknown_run_offers_papers_too():
    with pytest.raises(BadInput, match="Did you mean hinton2015"):
        recipe_named("hinton2014")


@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_names_its_source_and_itself(name):
    paper = paper_named(name)
    assert paper.name == name
    assert paper.source.url.startswith("https://") or name == "controls"
    assert 2 <= paper.quick_seeds <= paper.seeds
