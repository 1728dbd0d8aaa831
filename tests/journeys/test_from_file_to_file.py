"""A Parquet file and a skops teacher become an evaluated and exported student, by the command line alone."""

import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skops.io
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tutelage.cli import main

FEATURES = ["alcohol", "flavanoids", "color_intensity", "proline"]


@pytest.mark.slow
def test_a_file_of_rows_and_a_teacher_become_a_checked_student(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    wine = load_wine(as_frame=True).frame.sample(frac=1, random_state=0, ignore_index=True)
    wine["grower"] = wine.pop("target").map({0: "Adami", 1: "Bosco", 2: "Conti"})
    wine["bottle"] = [f"bottle {number}" for number in range(len(wine))]
    wine[:120][[*FEATURES, "bottle", "grower"]].to_parquet("rows.parquet")
    wine[120:][["grower", "bottle", *reversed(FEATURES)]].to_csv("test.csv", index=False)
    teacher = make_pipeline(StandardScaler(), LogisticRegression()).fit(wine[:120][FEATURES], wine[:120]["grower"])
    skops.io.dump(teacher, "teacher.skops")
    roles = ["--truth", "grower", "--drop", "bottle"]
    for command in (
        ["preflight", "teacher.skops", "--data", "rows.parquet", *roles, "--test", "test.csv"],
        ["record", "teacher.skops", "--data", "rows.parquet", *roles, "--into", "labels", "--precision", "float16"],
        [
            "train",
            "tree",
            "--labels",
            "labels",
            "--data",
            "rows.parquet",
            *roles,
            "--out",
            "run",
            "--set",
            "max_leaf_nodes=16",
            "--temperature",
            "2",
        ],
        ["export", "run", "student.onnx"],
        ["export", "run", "student.onnx", "--data", "rows.parquet"],
    ):
        assert main(command) == 0, command
    capsys.readouterr()
    assert main(["evaluate", "run", "--data", "test.csv", "--teacher", "teacher.skops", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["rows"] == 58
    assert measured["against_truth"]["accuracy"]["value"] > 0.8
    assert measured["against_teacher"]["agreement"]["value"] > 0.8
    session = onnxruntime.InferenceSession("student.onnx")
    parity = json.loads(session.get_modelmeta().custom_metadata_map["parity"])
    assert (parity["rows"] - parity["made_rows"], parity["decisions_changed"]) == (120, 0)
    rows = pd.read_csv("test.csv")[FEATURES].to_numpy(dtype=np.float32)
    _, decided = session.run(None, {"inputs": rows})
    right = (decided == pd.read_csv("test.csv")["grower"]).mean()
    assert right == measured["against_truth"]["accuracy"]["value"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["labels", "rows.parquet", "run", "student.onnx", "student.onnx.json", "teacher.skops", "test.csv"]
    )
