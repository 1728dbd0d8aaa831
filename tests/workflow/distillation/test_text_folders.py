import pickle

import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tutelage.cli import main


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("default")
def test_every_command_takes_the_folder_of_a_student_of_texts(unchecked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["car wheel road", "tax form money"]
    table = pd.DataFrame({"text": [f"{words[place % 2]} {place}" for place in range(300)], "y": ["a", "b"] * 150})
    table[150:].to_csv("texts.csv", index=False)
    teacher = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(table["text"][:150], table["y"][:150])
    (tmp_path / "teacher.pkl").write_bytes(pickle.dumps(teacher))
    made = ["--truth", "y", "--text", "text", "--students", "logistic", "--trials", "1", "--seeds", "2", "--export", "py", "--out", "run"]
    assert main(["distill", "teacher.pkl", "--trust", "--data", "texts.csv", *made]) == 0
    assert main(["evaluate", "run", "--data", "texts.csv"]) == 0
    assert main(["export", "run", "again.py", "--data", "texts.csv"]) == 0
    assert main(["predict", "run", "--data", "texts.csv", "--out", "answers.csv"]) == 0
    assert pd.read_csv("answers.csv")["prediction"].tolist() == table["y"][150:].tolist()
