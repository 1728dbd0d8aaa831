"""What `distill` says of test rows that other rows equal in the columns of the teacher alone."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from tutelage.cli import main

RNG = np.random.default_rng(0)


@pytest.mark.exhaustive
def test_rows_equal_only_in_the_columns_of_the_teacher_do_not_stop_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(RNG.normal(size=(240, 3)), columns=["a", "b", "c"])
    truth = (frame["a"] + frame["b"] > 0.5).astype(int)
    (tmp_path / "teacher.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(frame[["a", "b"]], truth)))
    frame.assign(y=truth).to_csv("rows.csv", index=False)
    frame[:60].assign(c=frame["c"][:60] + 1.0, y=truth[:60]).to_csv("test.csv", index=False)
    command = "distill teacher.pkl --trust --data rows.csv --test test.csv --truth y --students tree --trials 1 --seeds 2 --export py"
    assert main([*command.split(), "--out", "run"]) == 0
    record = json.loads((tmp_path / "run" / "results.json").read_text())
    (leak,) = [one for one in record["findings"]["findings"] if one["check"] == "leak"]
    assert leak["severity"] == "note"
    assert leak["sentence"] == "60 of 60 test rows equal others in the columns that the teacher reads, and differ in those of the student."
    assert record["rows"]["train"] + record["rows"]["validation"] == 240
