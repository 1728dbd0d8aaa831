"""A file of flowers, a teacher of them, and its answers: made once, in a folder that no test writes to."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from tutelage.cli import main

FEATURES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@dataclass(frozen=True)
class Flowers:
    """Where things lie."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        suffixes = {"rows": ".parquet", "test": ".csv", "teacher": ".skops", "labels": "", "run": ""}
        if name not in suffixes:
            raise AttributeError(name)
        return str(self.folder / f"{name}{suffixes[name]}")


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Flowers:
    made = Flowers(tmp_path_factory.mktemp("flowers"))
    frame, of = load_iris(return_X_y=True, as_frame=True)
    frame["species"] = of.map({0: "setosa", 1: "versicolor", 2: "virginica"}).astype(object)
    frame["plant"] = [f"p{number}" for number in range(len(frame))]
    frame = frame.drop_duplicates(FEATURES).sample(frac=1, random_state=0, ignore_index=True)
    frame[:100].to_parquet(made.rows)
    frame[100:].to_csv(made.test, index=False)
    skops.io.dump(LogisticRegression(max_iter=1000).fit(frame[:100][FEATURES], frame[:100]["species"]), made.teacher)
    assert main(["record", made.teacher, "--data", made.rows, "--into", made.labels]) == 0
    trained = ["train", "tree", "--labels", made.labels, "--data", made.rows, "--truth", "species", "--drop", "plant"]
    assert main([*trained, "--out", made.run, "--set", "max_leaf_nodes=6"]) == 0
    return made


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]):
    """Run a command that is a mistake, and give the one sentence that it says after what it began."""

    def said(*arguments: str) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        *begun, sentence = capsys.readouterr().err.strip().splitlines()
        assert all(line.endswith(" ...") for line in begun), begun
        assert sentence.startswith("tutelage: ")
        return sentence

    return said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
