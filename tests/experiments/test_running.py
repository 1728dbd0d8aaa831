"""What every finished run promises: the schema, the saved students, a second run from the cache, the page."""

import json
import math
import re
import shutil

import numpy as np
import pytest
from sklearn.metrics import r2_score

import tutelage
from tutelage.cli import main
from tutelage.core import errors
from tutelage.experiments import recipe_named, running
from tutelage.experiments.cache import Store
from tutelage.experiments.demo import friedman as friedman_recipe
from tutelage.experiments.demo import moons as moons_recipe
from tutelage.experiments.demo.mnist_setting import pixels
from tutelage.experiments.recipe import Outcome
from tutelage.experiments.scorecard import Measured
from tutelage.training import loop

pytestmark = pytest.mark.slow

RECIPES = ("moons", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("mnist", "friedman")))  # half a minute each
ARMS = {
    "moons": ["teacher", "tree-hard", "tree-soft", "tree-argmax", "tree-hard-tuned", "tree-soft-transfer"],
    "mnist": [
        "teacher",
        *("student-hard", "student-soft", "student-argmax", "student-soft-no-labels", "student-argmax-no-labels"),
        *("student-hard-1000-labels", "student-hard-300-labels"),
    ],
    "friedman": [
        "teacher",
        *("tree-hard", "tree-soft", "tree-hard-tuned", "tree-soft-tuned", "tree-soft-transfer"),
        *("linear-hard", "linear-hard-tuned", "linear-soft", "linear-soft-transfer"),
    ],
}


@pytest.fixture(params=RECIPES)
def finished(request):
    return request.getfixturevalue(request.param)


def test_results_follow_the_schema(finished):
    results = finished.results
    assert results["schema"] == 3
    assert results["recipe"] == finished.options[0]
    assert [arm["name"] for arm in results["arms"]] == ARMS[results["recipe"]]
    metrics = ("test_r2", "test_mse") if results["recipe"] == "friedman" else ("test_accuracy", "test_errors")
    for arm in results["arms"]:
        assert arm["parameters"] > 0
        assert all(len(arm[metric]) == len(arm["seeds"]) for metric in metrics)
        assert arm["cost"]["alone"]["p50_us"] > 0
        assert arm["parity"]["worst_difference"] <= arm["parity"]["tolerance"]
        assert arm["parity"]["rows"] == (500 if arm["name"] == "teacher" else 10_000)
    assert results["seconds"]["total"] >= max(seconds for name, seconds in results["seconds"].items() if name != "total")


def test_comparisons_agree_with_the_arms_they_compare(finished):
    assert len(finished.results["comparisons"]) >= 4
    for comparison in finished.results["comparisons"]:
        means = [np.mean(finished.arm(comparison[side])[comparison["metric"]]) for side in ("a", "b")]
        assert math.isclose(comparison["difference"], means[0] - means[1], abs_tol=1e-9)
        low, high = comparison["ci95"]
        assert low <= comparison["difference"] <= high
        better = comparison["difference"] < 0 if comparison["metric"] == "test_mse" else comparison["difference"] > 0
        expected = "no difference" if low <= 0 <= high else "beats" if better else "worse"
        assert comparison["verdict"] == expected


def rows_and_truth(recipe, seed):
    """The test rows of a quick run's seed."""
    if recipe == "mnist":
        images = tutelage.load_mnist()
        return pixels(images.test_images[::5]), images.test_labels[::5]
    draw = moons_recipe._draw(seed, further=5000) if recipe == "moons" else friedman_recipe._draw(seed)
    return draw.test, draw.test_truth


def test_saved_students_score_what_the_record_says(finished):
    recipe = finished.options[0]
    students = finished.folder / "students"
    assert len(list(students.iterdir())) == sum(len(finished.arm(name)["seeds"]) for name in ARMS[recipe][1:])
    rows, truth = rows_and_truth(recipe, seed=1)
    for name in ARMS[recipe][1:]:
        (path,) = students.glob(f"{name}-seed1.*")
        predicted = tutelage.load_student(path).predict(rows)
        if recipe == "friedman":
            assert math.isclose(r2_score(truth, predicted), finished.arm(name)["test_r2"][1], abs_tol=1e-9)
        else:
            assert (predicted != truth).sum() == finished.arm(name)["test_errors"][1]


def made_again(*_, **__):
    raise AssertionError("what the cache should hold was made again")


@pytest.mark.exhaustive
@pytest.mark.parametrize("recipe", ["moons", "mnist"])
def test_a_second_run_makes_nothing_again_and_finds_the_same(recipe, request, tmp_path, monkeypatch):
    finished, cached = request.getfixturevalue(recipe), Store.cached
    with monkeypatch.context() as patch:
        patch.setattr(Store, "cached", lambda store, made_from, make: cached(store, made_from, made_again))
        patch.setattr("torch.autograd.backward", made_again)  # no network is trained outside the cache
        assert main(["run", *finished.options, "--out", str(tmp_path / "run"), "--cache", str(finished.cache)]) == 0
    again = json.loads((tmp_path / "run" / "results.json").read_text())
    measured = ("name", "parameters", "seeds", "test_accuracy", "test_errors", "test_r2", "test_mse", "fidelity", "chosen")
    for arm, before in zip(again["arms"], finished.results["arms"], strict=True):
        assert {key: arm.get(key) for key in measured} == {key: before.get(key) for key in measured}
    assert again["comparisons"] == finished.results["comparisons"]


@pytest.mark.exhaustive
def test_fresh_trains_again_and_a_run_replaces_the_run_before_it(moons, tmp_path, monkeypatch):
    trained = []

    def counted(*arguments, **options):
        trained.append(options["epochs"])
        return loop.fit(*arguments, **options)

    monkeypatch.setattr("tutelage.experiments.demo.moons.fit", counted)
    cache = tmp_path / "cache"
    shutil.copytree(moons.cache, cache)
    options = ["run", "moons", "--quick", "--seeds", "2", "--out", str(tmp_path / "run"), "--cache", str(cache)]
    assert main(options) == 0
    assert trained == []
    first = json.loads((tmp_path / "run" / "results.json").read_text())
    assert main([*options, "--fresh"]) == 0
    assert len(trained) == 2
    assert json.loads((tmp_path / "run" / "results.json").read_text())["seconds"] != first["seconds"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "run"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["figures.json", "report.html", "results.json", "students"]


def test_a_model_that_two_arms_chose_is_exported_once(monkeypatch):
    exported = []

    def measured_cost(name, model, rows, *, budget_seconds):
        exported.append(name)
        return f"cost of {name}", f"parity of {name}"

    monkeypatch.setattr(running, "_cost_and_parity", measured_cost)
    names = ("teacher", "first", "second", "third")
    shared = object()
    models = {"teacher": (object(),), "first": (shared, object()), "second": (shared, object()), "third": (object(), shared)}
    arms = tuple(Measured(name, "", (0, 1), np.zeros((2, 3)), (1, 1)) for name in names)
    outcome = Outcome(arms, models, test=None, pairs=(), protocol=(), data={})
    found = running._with_costs(outcome, np.zeros((3, 2)), budget_seconds=1, advance=lambda: None)
    assert exported == ["teacher", "first", "third"]
    assert [arm.cost for arm in found] == ["cost of teacher", "cost of first", "cost of first", "cost of third"]
    assert found[2].parity == "parity of first"


def test_the_page_needs_no_network_and_names_every_arm(finished):
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)\s*=\s*["'](https?:)?//""", page)
    assert not re.search(r"url\((?!#)", page)
    for arm in finished.results["arms"]:
        assert arm["name"] in page
    assert len(page) < 3_000_000


@pytest.mark.exhaustive(every=4)
@pytest.mark.parametrize(
    ("recipe", "arm", "columns"),
    [("moons", "tree-soft", 2), ("mnist", "student-soft", 10), ("friedman", "tree-soft-transfer", 1), ("friedman", "linear-soft", 1)],
)
def test_export_writes_one_file_that_holds_the_record_of_its_check(recipe, arm, columns, request, tmp_path, capsys):
    import onnxruntime

    finished = request.getfixturevalue(recipe)
    capsys.readouterr()  # what the run printed, if it was made just now
    file = tmp_path / "student.onnx"
    assert main(["export", str(finished.folder), str(file), "--arm", arm, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["student.onnx", "student.onnx.json"]
    (parity,) = record["proofs"]
    assert parity["rows"] == 10_000
    assert 0 <= parity["worst_difference"] <= 1e-5
    rows = recipe_named(recipe).check_rows(0, None)[:7]
    session = onnxruntime.InferenceSession(file)
    assert json.loads(session.get_modelmeta().custom_metadata_map["parity"]) == parity
    weighted_sums = session.get_inputs()[0].type == "tensor(double)"
    assert weighted_sums == (arm == "linear-soft")
    answers = session.run(None, {"inputs": rows.astype(np.float64) if weighted_sums else rows})[0]
    assert answers.shape == (7, columns)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--arm", "tree-sotf"], "there are tree-hard"),
        (["--seed", "77"], "has no seed 77"),
        (["--arm", "teacher"], "has no student 'teacher'"),
    ],
)
def test_export_of_what_is_not_there_is_one_sentence(options, said, moons, tmp_path, capsys):
    assert main(["export", str(moons.folder), str(tmp_path / "student.onnx"), *options]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', '{"schema": 7, "recipe": "moons", "arms": []}'])
def test_export_of_a_damaged_record_is_one_sentence(content, moons, tmp_path, capsys):
    shutil.copytree(moons.folder, tmp_path / "run")
    (tmp_path / "run" / "results.json").write_text(content)
    assert main(["export", str(tmp_path / "run"), str(tmp_path / "student.onnx")]) == 2
    assert "again" in capsys.readouterr().err
    assert not (tmp_path / "student.onnx").exists()


@pytest.mark.exhaustive
def test_export_needs_no_report_extra_and_run_asks_for_it_first(moons, tmp_path, monkeypatch, capsys):
    found = errors.find_spec
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in ("jinja2", "matplotlib") else found(name))
    assert main(["export", str(moons.folder), str(tmp_path / "student.onnx")]) == 0
    assert main(["run", "moons", "--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]) == 2
    assert 'pip install "tutelage[report]"' in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
