import json

import pandas as pd
import pytest
from short_runs import shortened, unchecked_teachers

from tutelage.cli import main
from tutelage.data.rows import as_rows
from tutelage.workflow.evaluate import rows_trained_on


@pytest.fixture(scope="module")
def distilled(flowers):
    """Two distillations of two seeds each, on the same rows."""
    folders = [str(flowers.folder / name) for name in ("small", "large")]
    common = ["distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--students", "tree"]
    with shortened(), unchecked_teachers():
        for seed, folder in enumerate(folders):
            settings = ["--trials", str(1 + seed), "--seeds", "2", "--export", "py", "--seed", str(seed), "--out", folder]
            assert main([*common, *settings]) == 0
    return folders


@pytest.mark.exhaustive
def test_several_seeds_are_compared_over_seeds_and_rows(distilled, flowers, capsys):
    capsys.readouterr()
    assert main(["compare", *distilled, "--data", flowers.test, "--metric", "brier", "--json"]) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert "warning" not in printed.err
    assert (found["a"], found["b"], found["metric"], found["over"]) == (*distilled, "brier", "seeds and test rows")
    assert found["ci95"][0] <= found["difference"] <= found["ci95"][1]
    assert "of 2 seeds each" in found["question"]


@pytest.mark.exhaustive
def test_one_training_is_compared_over_rows(distilled, flowers, capsys):
    assert main(["compare", distilled[0], flowers.run, "--data", flowers.test]) == 0
    question, found = capsys.readouterr().out.strip().splitlines()
    assert "these two students" in question
    assert "over test rows" in found


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_rows_that_a_student_was_trained_on_are_counted(distilled, flowers, capsys):
    split = pd.read_parquet(f"{distilled[0]}/split.parquet")
    count = (split["part"] == "development").sum()
    assert split["row"].tolist() == list(range(100))
    assert 60 < count < 90
    assert main(["compare", *distilled, "--data", flowers.rows]) == 0
    assert f"{count} of these rows were used to train or to choose the students of {distilled[0]};" in capsys.readouterr().err
    assert main(["evaluate", distilled[0], "--data", flowers.rows]) == 0
    assert f"{count} of these rows are among those on which the student was trained" in capsys.readouterr().err


@pytest.mark.exhaustive
def test_without_truth_they_are_compared_by_the_teacher(distilled, flowers, capsys, user_error, tmp_path):
    path = tmp_path / "new.csv"
    pd.read_csv(flowers.test).drop(columns="species").to_csv(path, index=False)
    assert "there is nothing to measure the student against" in user_error("compare", *distilled, "--data", path)
    assert main(["compare", *distilled, "--data", str(path), "--teacher", flowers.teacher]) == 0
    assert "agreement against the teacher" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_mistakes_are_one_sentence(distilled, flowers, user_error, tmp_path):
    compare = ("compare", *distilled, "--data", flowers.test)
    assert "metric is 'f1'; against the truth expected one of accuracy" in user_error(*compare, "--metric", "f1")
    assert "compared by the teacher, which is not given" in user_error(*compare, "--against", "teacher")
    assert "holds no trained student" in user_error("compare", distilled[0], tmp_path, "--data", flowers.test)


def test_answers_are_kept_row_by_row(flowers, tmp_path):
    path = tmp_path / "answers.parquet"
    assert main(["evaluate", flowers.run, "--data", flowers.test, "--teacher", flowers.teacher, "--rows-out", str(path)]) == 0
    found, rows = pd.read_parquet(path), pd.read_csv(flowers.test)
    assert found["truth"].tolist() == rows["species"].tolist()
    assert {"row", "student_prediction", "student_probability_setosa", "teacher_prediction", "teacher_probability_setosa"} <= set(found)


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_weights_of_classes_are_named_by_every_command(distilled, flowers, capsys, tmp_path):
    out = str(tmp_path / "weighted")
    common = ["distill", flowers.teacher, "--data", flowers.rows, "--truth", "species", "--drop", "plant", "--students", "tree"]
    weights = ["--class-weight", "virginica=7"]
    with shortened(), unchecked_teachers():
        assert main([*common, *weights, "--trials", "1", "--seeds", "2", "--export", "py", "--out", out]) == 0
    assert json.loads((tmp_path / "weighted" / "run.json").read_text())["class_weights"]["virginica"] == 7
    capsys.readouterr()
    asked = (["evaluate", out], ["compare", distilled[0], out], ["predict", out, "--probabilities"])
    for command in asked:
        assert main([*command, "--data", flowers.test]) == 0
        said = capsys.readouterr().err
        assert said.count("was trained with weights of classes") == 1
        assert "virginica 7), and its probabilities are multiplied by them" in said
    assert main(["predict", out, "--data", flowers.test]) == 0
    assert "weights of classes" not in capsys.readouterr().err


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_a_run_is_measured_on_the_rows_of_its_file_that_have_their_truth(flowers, capsys, user_error, tmp_path):
    rows = pd.concat([pd.read_parquet(flowers.rows), pd.read_csv(flowers.test)], ignore_index=True)
    lacking = rows.index % 4 == 1
    rows.assign(species=rows["species"].where(~lacking)).to_csv(tmp_path / "gaps.csv", index=False)
    rows[lacking].to_csv(tmp_path / "later.csv", index=False)
    out, gaps = str(tmp_path / "run"), str(tmp_path / "gaps.csv")
    common = ["distill", flowers.teacher, "--data", gaps, "--truth", "species", "--drop", "plant", "--students", "tree"]
    with shortened(), unchecked_teachers():
        assert main([*common, "--unlabelled", "pool", "--trials", "1", "--seeds", "2", "--export", "py", "--out", out]) == 0
    capsys.readouterr()
    answers = tmp_path / "answers.parquet"
    assert main(["evaluate", out, "--data", gaps, "--teacher", flowers.teacher, "--rows-out", str(answers)]) == 0
    assert f"{lacking.sum()} of {len(rows)} rows come without ground truth and are left out." in capsys.readouterr().err
    found = pd.read_parquet(answers)
    assert found["row"].tolist() == rows.index[~lacking].tolist()
    assert found["truth"].tolist() == rows["species"][~lacking].tolist()
    assert main(["compare", out, out, "--data", gaps]) == 0
    printed = capsys.readouterr()
    assert f"on the same {(~lacking).sum()} rows" in printed.out
    assert printed.err.count("come without ground truth and are left out") == 1
    rows.assign(species=None).to_csv(gaps, index=False)
    assert "holds no ground truth in 'species'; pass rows that have it" in user_error("evaluate", out, "--data", gaps)


@pytest.mark.exhaustive
@pytest.mark.parametrize("unlabelled", ["pool", "drop"])
def test_rows_of_a_pool_that_were_learnt_from_are_counted(unlabelled, flowers, tmp_path):
    rows = pd.concat([pd.read_parquet(flowers.rows), pd.read_csv(flowers.test)], ignore_index=True)
    lacking = rows.index % 4 == 1
    rows.assign(species=rows["species"].where(~lacking)).to_csv(tmp_path / "gaps.csv", index=False)
    pool = pd.read_csv(flowers.test).drop(columns=["species", "plant"]) + 0.001
    pool.to_csv(tmp_path / "pool.csv", index=False)
    out = tmp_path / "run"
    common = [
        "distill",
        flowers.teacher,
        "--data",
        str(tmp_path / "gaps.csv"),
        "--truth",
        "species",
        "--drop",
        "plant",
        "--students",
        "tree",
    ]
    given = ["--pool", str(tmp_path / "pool.csv"), "--unlabelled", unlabelled, "--trials", "1", "--seeds", "2", "--export", "py"]
    with shortened(), unchecked_teachers():
        assert main([*common, *given, "--out", str(out)]) == 0
    record = json.loads((out / "run.json").read_text())
    learns_from_more = json.loads((out / "results.json").read_text())["chosen"] == "answers, more rows"
    assert record["trained_on"] == (["development", "pool"] if learns_from_more else ["development"])
    features = as_rows(rows[pool.columns][lacking]), as_rows(pool)
    counted = [rows_trained_on({"trained_on": ["development", "pool"]}, some, out) for some in features]
    split = pd.read_parquet(out / "split.parquet")
    assert counted == [
        split.query("part == 'pool' and source == 'rows'").shape[0],
        split.query("part == 'pool' and source == 'pool'").shape[0],
    ]
    assert counted[1] > 40
    assert (counted[0] > 20) == (unlabelled == "pool")
    assert [rows_trained_on({"trained_on": ["development"]}, some, out) for some in features] == [0, 0]
    assert sorted(split.query("source == 'rows'")["row"]) == list(range(len(rows)))
