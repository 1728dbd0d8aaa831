"""Rows of more axes than a table, from files of arrays through the commands."""

import json

import numpy as np
import pandas as pd
import pytest

from tutelage.cli import main

PICTURES = np.random.default_rng(0).integers(0, 256, size=(120, 1, 4, 4)).astype(np.uint8)
BRIGHT = np.where(PICTURES[:, :, :, :2].mean(axis=(1, 2, 3)) > PICTURES[:, :, :, 2:].mean(axis=(1, 2, 3)), "left", "right")
TEACHER = """
import numpy as np
def left(rows):
    assert rows.shape[1:] == (1, 4, 4)
    more = rows[:, :, :, :2].mean(axis=(1, 2, 3)) - rows[:, :, :, 2:].mean(axis=(1, 2, 3))
    chance = 1 / (1 + np.exp(-more / 10.0))
    return np.column_stack([chance, 1 - chance])
"""
OF_TEACHER = ["--classes", "left,right", "--kind", "probabilities", "--teacher-version", "1"]


@pytest.fixture
def files(here, monkeypatch):
    monkeypatch.syspath_prepend(here)
    (here / "of_pictures.py").write_text(TEACHER)
    np.savez("rows.npz", X=PICTURES[:80], side=BRIGHT[:80])
    np.savez("test.npz", X=PICTURES[80:], side=BRIGHT[80:], id=np.arange(40))
    return here


def run(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


@pytest.mark.exhaustive
def test_pictures_go_through_all_commands(files, capsys):
    run("preflight", "of_pictures:left", *OF_TEACHER, "--data", "rows.npz", "--truth", "side", "--test", "test.npz")
    run("record", "of_pictures:left", *OF_TEACHER, "--data", "rows.npz", "--truth", "side", "--into", "labels")
    capsys.readouterr()
    run("train", "logistic", "--labels", "labels", "--data", "rows.npz", "--truth", "side", "--soft-weight", "0.5", "--out", "run")
    assert "80 rows of 1 x 4 x 4 numbers" in capsys.readouterr().out
    run("evaluate", "run", "--data", "test.npz", "--teacher", "of_pictures:left", *OF_TEACHER, "--json")
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["rows"] == 40
    run("compare", "run", "run", "--data", "test.npz")
    run("export", "run", "drawn.py")  # on rows that are drawn in the ranges of training
    run("export", "run", "given.py", "--data", "test.npz")
    run("predict", "run", "--data", "test.npz", "--keep", "id", "--out", "answers.csv")
    np.save("new.npy", PICTURES[80:])
    run("predict", "run", "--data", "new.npy", "--out", "new.csv")
    answers, new = pd.read_csv("answers.csv"), pd.read_csv("new.csv")
    assert answers["id"].tolist() == list(range(40))
    assert answers["prediction"].tolist() == new["prediction"].tolist()
    assert (answers["prediction"] == BRIGHT[80:]).mean() > 0.9
    module: dict = {}
    exec((files / "given.py").read_text(), module)  # noqa: S102
    assert module["SHAPE"] == (1, 4, 4)
    assert [module["predict"](picture.tolist()) for picture in PICTURES[80:]] == answers["prediction"].tolist()


def test_mistakes_are_one_sentence(files, user_error):
    run("record", "of_pictures:left", *OF_TEACHER, "--data", "rows.npz", "--truth", "side", "--into", "labels")
    run("train", "tree", "--labels", "labels", "--data", "rows.npz", "--truth", "side", "--out", "run")
    np.save("flat.npy", PICTURES.reshape(120, 16))
    np.save("scaled.npy", PICTURES / 255)
    np.savez("many.npz", images=PICTURES, ids=np.arange(120))
    predict = ("predict", "run", "--data")
    assert "expects (rows, 1, 4, 4). Pass X.reshape(-1, 1, 4, 4)" in user_error(*predict, "flat.npy")
    scale = "scaled.npy holds fractions up to 1, and the student was trained on whole numbers up to 255. Scale them as in training."
    assert scale in user_error(*predict, "scaled.npy")
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}).to_csv("table.csv", index=False)
    table = "table.csv is a table, and the student was trained on rows of 1 x 4 x 4 numbers; expected a .npy file of such rows, or a .npz"
    assert table in user_error(*predict, "table.csv")
    np.savez("scaled.npz", X=PICTURES / 255, side=BRIGHT)
    for command in (("evaluate", "run"), ("compare", "run", "run")):
        assert scale.replace("npy", "npz") in user_error(*command, "--data", "scaled.npz")
    assert "which of its arrays 'images', 'ids' holds the rows" in user_error(*predict, "many.npz")
    assert "flat.npy has no column 'id', to be copied; it has no names" in user_error(*predict, "flat.npy", "--keep", "id")
    assert "has no array 'truth'; it has 'X', 'side'" in user_error(
        "record", "of_pictures:left", *OF_TEACHER, "--data", "rows.npz", "--truth", "truth", "--into", "more"
    )
    assert "SQL, which has columns only" in user_error("export", "run", "student.sql")
