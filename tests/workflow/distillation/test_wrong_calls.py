"""Wrong calls of `distill` and of `tutelage distill`: one sentence each, before any work, and nothing is left behind."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

import tutelage as tl
from tutelage.cli import main
from tutelage.core.errors import TutelageError

X, Y = make_moons(300, noise=0.3, random_state=0)
TEACHER = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X[:100], Y[:100])
VALUES = RandomForestRegressor(10, random_state=0).fit(X[:100], X[:100, 0])
X, Y = X[100:], Y[100:]
FRAME = pd.DataFrame(X, columns=["a", "b"])
OF_FRAMES = RandomForestClassifier(20, max_depth=5, random_state=0).fit(FRAME, Y)
GAP = np.where(np.arange(200) == 3, np.nan, X[:, 0])
GIVEN = {"teacher": TEACHER, "X": X, "y": Y, "students": ["tree"], "trials": 2, "seeds": 2, "export": "py"}

CALLS = {
    "no student of this name": ({"students": ["treee"]}, "no student is named 'treee' .* Did you mean tree"),
    "a student of values": ({"students": ["linear"]}, "no student is named 'linear' for binary"),
    "no students": ({"students": []}, "students is empty"),
    "no trials": ({"trials": 0}, "trials is 0; expected a whole number"),
    "fewer trials than students": (
        {"students": ["tree", "logistic", "mlp"]},
        "trials is 2; expected 3 or more, one for each",
    ),
    "one seed": ({"seeds": 1}, "seeds is 1; expected a whole number, 2 or more"),
    "a seed below zero": ({"seed": -1}, "seed is -1"),
    "limits that are none": ({"limits": {"size": 3}}, "limits is .*expected tutelage.Limits"),
    "no figure of this name": ({"metric": "f1"}, "metric is 'f1'; expected one of accuracy, nll_nats, brier"),
    "no format of this name": ({"export": "exe"}, "no target is named 'exe'"),
    "no formats": ({"export": []}, "export is empty"),
    "a number as format": ({"export": 3}, "export is 3"),
    "y of another length": ({"y": Y[1:]}, "y has 199 entries and there are 200 rows"),
    "y of other classes": ({"y": np.where(Y == 1, 7, 0)}, r"y holds the labels \[7\]"),
    "y of names": ({"y": np.where(Y == 1, "yes", "no")}, r"y holds the labels \['no', 'yes'\]"),
    "y with a gap": (
        {"y": np.where(np.isnan(GAP), GAP, Y)},
        r"y lacks the ground truth of 1 of 200 rows \(first: row 3\)\. .* pass unlabelled='pool'",
    ),
    "test rows with a gap": ({"test": (X[:50], np.where(np.isnan(GAP), GAP, Y)[:50])}, r"y of the test lacks the ground truth of 1 of 50"),
    "gaps alone": ({"y": np.full(200, np.nan), "unlabelled": "pool"}, "y holds no ground truth at all; leave it out"),
    "unlabelled without truth": ({"y": None, "unlabelled": "drop"}, "unlabelled is 'drop', and no ground truth is given"),
    "another use of rows": ({"unlabelled": "guess"}, "unlabelled is 'guess'; expected 'pool' or 'drop'"),
    "a masked y": ({"y": np.ma.masked_equal(Y, 1)}, "y lacks the ground truth of"),
    "y of two columns": ({"y": np.c_[Y, Y]}, r"y has shape \(200, 2\)"),
    "y by its name": ({"y": "label"}, "y is 'label'; expected the ground truth of each row"),
    "values with a gap": ({"teacher": VALUES, "y": GAP}, "y lacks the ground truth of 1 of 200 rows"),
    "values that are texts": ({"teacher": VALUES, "y": Y.astype(str)}, "are not numbers"),
    "ten rows": ({"X": X[:10], "y": Y[:10]}, "rows to train on"),
    "columns that are numbers": ({"X": pd.DataFrame(X)}, "a column of the rows is named 0, which is no text"),
    "no rows": ({"X": None}, "cannot take a NoneType as rows"),
    "a row that is one number": ({"X": X[:, 0]}, r"the rows have shape \(200,\); .* Pass X.reshape\(-1, 1\)"),
    "a series of numbers": ({"X": FRAME["a"]}, r"the rows have shape \(200,\); .* Pass X.reshape\(-1, 1\)"),
    "rows without a number": ({"X": np.zeros((200, 0, 2))}, r"the rows have shape \(200, 0, 2\); .* Pass rows that hold numbers"),
    "pictures of objects": ({"X": np.full((200, 2, 2), None)}, "are of type object; expected numbers"),
    "a test in another scale": (
        {"X": X.reshape(-1, 1, 2), "test": ((100 * X[:50]).astype(int).reshape(-1, 1, 2), Y[:50])},
        r"test holds whole numbers up to \d+, and the rows hold fractions up to .*; pass both in the same scale",
    ),
    "a pool in another scale, of the same type": (
        {"X": X.reshape(-1, 1, 2), "pool": np.rint(100 * X[:50]).reshape(-1, 1, 2)},
        r"pool holds whole numbers up to \d+, and the rows hold fractions up to .*; pass both in the same scale",
    ),
    "a pool of other columns": ({"pool": np.c_[X, X]}, r"each row of pool has shape \(4,\); expected \(2,\)"),
    "a pool of texts": ({"pool": ["a", "b"] * 20}, "the rows are an array, and pool is a list of texts"),
    "a pool that lacks a column": ({"teacher": OF_FRAMES, "X": FRAME, "pool": FRAME[["a"]]}, "pool has no column 'b'"),
    "test rows of other columns": ({"test": (np.c_[X, X][:50], Y[:50])}, "each row of test has shape"),
    "test rows without truth": ({"test": X[:50]}, "the rows come with the ground truth and the test rows without"),
    "validation rows without truth": ({"validation": X[:50] + 9}, "the rows come with the ground truth and the validation rows without"),
    "validation rows of other columns": ({"validation": (np.c_[X, X][:50], Y[:50])}, "each row of validation has shape"),
    "five parts of a validation": ({"validation": (X, Y, None, None, None)}, "validation is a tuple of 5; expected rows"),
    "three validation rows": ({"validation": (X[:3] + 9, Y[:3])}, "there are 3 rows to validate on; expected 20 at least"),
    "validation rows that are test rows": (
        {"validation": (X[:50] + 9, Y[:50]), "test": (X[:50] + 9, Y[:50])},
        "there are 0 rows to validate on; .* 50 rows were left out: of the validation, equal to a test row",
    ),
    "truth of the test rows alone": ({"y": None, "test": (X[:50], Y[:50])}, "the test rows come with the ground truth"),
    "test rows of other classes": ({"test": (X[:50], Y[:50] + 5)}, r"y holds the labels \[5, 6\]"),
    "five test rows": ({"test": (X[:5], Y[:5])}, "there are 5 rows to test on"),
    "test rows that are all rows": ({"test": (X, Y)}, "there are 0 rows to train on"),
    "five parts of a test": (
        {"test": (X, Y, None, None, 1)},
        r"test is a tuple of 5; expected rows in a list.* \(X, y\), \(X, y, weights\), \(X, y, weights, groups\)",
    ),
    "five parts of a pool": ({"pool": (X, None, None, None, 1)}, "pool is a tuple of 5"),
    "rows of a pool as a tuple": ({"pool": (X[0],)}, "pool is a tuple of 1; expected rows in a list, an array or a frame"),
    "texts of a pool as a tuple": ({"pool": ("a", "b")}, "pool is a tuple of texts; expected rows in a list"),
    "times of a pool of another kind": (
        {"times": np.arange(200), "pool": (X, None, None, ["2026-01-01"] * 200)},
        "the times of the rows are of type int64, and those of pool of type datetime64",
    ),
    "groups without those of the test": ({"groups": np.arange(200), "test": (X[:50], Y[:50])}, "the rows come with groups and the test"),
    "weights below zero": ({"sample_weight": -np.ones(200)}, "sample_weight holds negative numbers"),
    "weights of 0": ({"sample_weight": (np.arange(200) < 30) * 1.0, "times": np.arange(200)}, "rows to test on have a weight above 0"),
    "weights of another length": ({"sample_weight": np.ones(3)}, "sample_weight has shape"),
    "weights of a class that is none": (
        {"class_weight": {2: 3}},
        r"class_weight names the class 2; expected classes of the teacher, \[0, 1\]",
    ),
    "class weights below zero": ({"class_weight": {1: -3}}, "class_weight of 1 is -3"),
    "class weights of zero": ({"class_weight": {0: 0, 1: 0}}, "gives every class the weight 0"),
    "class weights of values": ({"teacher": VALUES, "y": X[:, 0], "class_weight": "balanced"}, "the teacher answers with values"),
    "balanced without truth": ({"y": None, "class_weight": "balanced"}, "no ground truth whose classes could be counted"),
    "a pool of weighted rows": ({"pool": (X[:50], np.ones(50))}, "the pool comes with weights and the rows without"),
    "one group": ({"groups": np.ones(200)}, "rows to train on"),
    "compact texts as times": ({"times": ["19990101", "20240105"] * 100}, "times holds texts that are no dates, such as '19990101'"),
    "groups with gaps": ({"groups": [None] * 50 + [1, 2, 3] * 50}, "groups has 50 missing values"),
    "times with gaps": ({"times": GAP}, "times has 1 missing values"),
    "times that are none": ({"times": ["soon"] * 200}, "times holds texts that are no dates"),
    "an unfitted teacher": ({"teacher": RandomForestClassifier()}, "is not fitted"),
    "a class": ({"teacher": RandomForestClassifier}, "is a class"),
    "a function that says nothing": ({"teacher": lambda rows: rows}, "does not declare the kind of its numbers"),
    "answers to other rows": ({"teacher": tl.record(TEACHER, X[:100])}, "100 of 200 rows are not among the 100"),
    "answers without the pool": ({"teacher": tl.record(TEACHER, X), "pool": X[:9] + 1}, "9 of 9 rows are not among the 200"),
    "a folder that is a number": ({"into": 3}, "into is 3"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_call_is_refused_in_a_sentence(case, tmp_path):
    wrong, said = CALLS[case]
    with pytest.raises(TutelageError, match=said) as refused:
        tl.distill(**{**GIVEN, "into": tmp_path / "run", **wrong})
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": "64 potatoes"}, "size is '64 potatoes'; expected a number of bytes"),
        ({"size": 0}, "size is 0"),
        ({"latency": "fast"}, "latency is 'fast'; expected a number of microseconds"),
        ({"latency": float("nan")}, "latency is nan"),
        ({"drop": -1}, "drop is -1"),
        ({"drop": "1%"}, "drop is '1%'"),
    ],
)
def test_limits_that_are_none(wrong, said):
    with pytest.raises(TutelageError, match=said):
        tl.Limits(**wrong)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = FRAME.assign(y=np.where(Y == 1, "yes", "no"), customer=np.arange(200), gap=GAP, when="soon")
    rows.to_csv("rows.csv", index=False)
    rows[:12].to_csv("few.csv", index=False)
    rows.assign(y="maybe").to_csv("classes.csv", index=False)
    rows.assign(y=rows["y"].where(rows.index != 3)).to_csv("gaps.csv", index=False)
    rows[["a", "y"]].to_csv("fewer.csv", index=False)
    rows.drop(columns="y").to_csv("unlabelled.csv", index=False)
    with (tmp_path / "teacher.pkl").open("wb") as file:
        pickle.dump(RandomForestClassifier(20, max_depth=5, random_state=0).fit(FRAME, rows["y"]), file)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    return tmp_path


COMMON = [
    *("--trust", "--truth", "y", "--drop", "customer", "--drop", "gap", "--drop", "when"),
    *("--students", "tree", "--trials", "1", "--seeds", "2", "--export", "py"),
]
COMMANDS = [
    ("none.pkl --data rows.csv --out run", "there is no file none.pkl"),
    ("teacher.pkl --data none.csv --out run", "there is no file none.csv"),
    ("teacher.pkl --data none*.csv --out run", "none*.csv names no table"),
    ("teacher.pkl --data rows.csv", "Missing option '--out'"),
    ("teacher.pkl --data rows.csv --out other", "other already holds other files"),
    ("teacher.pkl --data rows.csv --out rows.csv", "rows.csv is a file"),
    ("teacher.pkl --data rows.csv --out run --truth z", "has no column 'z'"),
    ("teacher.pkl --data rows.csv --out run --drop custmr", "has no column 'custmr'; .* Did you mean customer?"),
    ("teacher.pkl --data gaps.csv --out run", "column 'y' of gaps.csv lacks the ground truth of 1 of 200 rows .* --unlabelled 'pool'"),
    ("teacher.pkl --data rows.csv --out run --class-weight 3=4", "class_weight names the class '3'; expected classes"),
    ("teacher.pkl --data rows.csv --out run --class-weight even", "neither balanced nor weights of classes"),
    ("teacher.pkl --data classes.csv --out run", "y holds the labels ['maybe']"),
    ("teacher.pkl --data unlabelled.csv --out run", "unlabelled.csv has no column 'y'"),
    ("teacher.pkl --data few.csv --out run", "rows to train on"),
    ("teacher.pkl --data rows.csv --out run --students treee", "Did you mean tree?"),
    ("teacher.pkl --data rows.csv --out run --export exe", "no target is named 'exe'"),
    ("teacher.pkl --data rows.csv --out run --export ,", "export is empty"),
    ("teacher.pkl --data rows.csv --out run --trials 0", "'--trials': 0 is not in the range"),
    ("teacher.pkl --data rows.csv --out run --seeds 1", "'--seeds': 1 is not in the range"),
    ("teacher.pkl --data rows.csv --out run --max-size 3potatoes", "size is '3potatoes'"),
    ("teacher.pkl --data rows.csv --out run --max-drop -1", "'--max-drop': -1.0 is not in the range"),
    ("teacher.pkl --data rows.csv --out run --metric f1", "metric is 'f1'"),
    ("teacher.pkl --data rows.csv --out run --test unlabelled.csv", "the rows come with the ground truth and the test rows without"),
    ("teacher.pkl --data rows.csv --out run --test rows.csv", "there are 0 rows to train on"),
    ("teacher.pkl --data rows.csv --out run --pool fewer.csv", "fewer.csv has no column 'b', which the rows have"),
    ("teacher.pkl --data rows.csv --out run --group y", "group is 'y', the ground truth"),
    ("teacher.pkl --data rows.csv --out run --time gap", "column 'gap' of rows.csv has 1 empty cells"),
    ("teacher.pkl --data rows.csv --out run --time when", "texts that are no dates"),
    ("teacher.pkl --data rows.csv --out run --weight y", "holds the weights and cannot be the ground truth"),
    ("teacher.pkl --data rows.csv --out run --dtype a=colour", "the type of column 'a' is 'colour'"),
    ("teacher.pkl --data rows.csv --out run --answers a", "--answers does not apply to the teacher"),
    ("rows.csv --data rows.csv --out run", "is a log of answers, which does not declare its kind"),
    ("json:dumps --data rows.csv --out run", "does not declare the kind of its numbers"),
    ("nowhere:f --data rows.csv --out run", "there is no module nowhere"),
]


def test_a_wrong_command_is_refused_in_a_sentence(files, capsys):
    before = sorted(files.rglob("*"))
    for command, said in COMMANDS:
        words = command.split()
        common = COMMON if "--truth" not in words else [word for word in COMMON if word not in ("--truth", "y")]
        # what the command gives comes last: of an option that is given twice, click takes the last
        assert main(["distill", *common, *words]) == 2, command
        *progress, sentence = capsys.readouterr().err.strip().splitlines()
        assert all(line.endswith(" ...") for line in progress), (command, progress)
        assert all(part in sentence for part in said.split(".*")), (command, sentence)
        assert sorted(files.rglob("*")) == before, command


def test_a_pickle_is_not_loaded_without_trust(files, capsys):
    assert main(["distill", "teacher.pkl", "--data", "rows.csv", "--truth", "y", "--out", "run"]) == 2
    assert "is a pickle: loading it can run any code that its author put there" in capsys.readouterr().err
