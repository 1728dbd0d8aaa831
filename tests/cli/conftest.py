"""A file of iris rows, a teacher and its recorded answers, made once in a folder to which no test writes."""

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
    """The paths of the files."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        suffixes = {"rows": ".parquet", "test": ".csv", "teacher": ".skops", "labels": "", "run": ""}
        if name not in suffixes:
            raise AttributeError(name)
        return str(self.folder / f"{name}{suffixes[name]}")


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Flowers:
    paths = Flowers(tmp_path_factory.mktemp("flowers"))
    frame, codes = load_iris(return_X_y=True, as_frame=True)
    frame["species"] = codes.map({0: "setosa", 1: "versicolor", 2: "virginica"}).astype(object)
    frame["plant"] = [f"p{number}" for number in range(len(frame))]
    frame = frame.drop_duplicates(FEATURES).sample(frac=1, random_state=0, ignore_index=True)
    frame[:100].to_parquet(paths.rows)
    frame[100:].to_csv(paths.test, index=False)
    skops.io.dump(LogisticRegression(max_iter=1000).fit(frame[:100][FEATURES], frame[:100]["species"]), paths.teacher)
    assert main(["record", paths.teacher, "--data", paths.rows, "--into", paths.labels]) == 0
    trained = ["train", "tree", "--labels", paths.labels, "--data", paths.rows, "--truth", "species", "--drop", "plant"]
    assert main([*trained, "--out", paths.run, "--set", "max_leaf_nodes=6"]) == 0
    return paths


@pytest.fixture
def user_error(capsys: pytest.CaptureFixture[str]):
    """Run a command with a user error and return its error sentence, which follows only lines of progress."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        *progress, sentence = capsys.readouterr().err.strip().splitlines()
        assert all(line.endswith(" ...") for line in progress), progress
        assert sentence.startswith("tutelage: ")
        return sentence

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
