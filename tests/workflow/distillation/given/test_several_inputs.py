"""Rows of several inputs in files: what each set holds, and how they are split."""

import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.table_file import TableFile
from tutelage.workflow.distillation.folder import RunFolder
from tutelage.workflow.distillation.given.alike import in_columns
from tutelage.workflow.distillation.given.from_files import problem_of_files
from tutelage.workflow.distillation.given.problem import row_set
from tutelage.workflow.distillation.given.split import parts_of, split
from tutelage.workflow.distillation.reporting.outputs import write_split
from tutelage.workflow.open_answers import SourceOptions

COUNT = 200
RANDOM = np.random.default_rng(0)
IDS = [RANDOM.integers(1, 40, length).tolist() for length in RANDOM.integers(3, 9, COUNT)]
TABLE = pd.DataFrame(
    {
        "ids": IDS,
        "attention_mask": [[1] * len(row) for row in IDS],
        "y": ["high" if np.mean(row) > 20 else "low" for row in IDS],
        "w": 1.0 + np.arange(COUNT) % 3,
        "customer": np.arange(COUNT) // 4,
        "day": np.arange(COUNT),
    }
)
TEACHER = "import numpy as np\n\n\ndef means(rows):\n    return np.full((len(rows['ids']), 2), 0.5)\n"
NEW = pd.DataFrame({"ids": [[39, 39, 1], [39, 38, 2, 2]], "attention_mask": [[1, 1, 1], [1, 1, 1, 1]]})


@pytest.fixture
def problem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "means_of_ids.py").write_text(TEACHER)

    def opened(*, table=TABLE, group=None, time=None, unlabelled=None, class_weight=None, **others):
        for name, frame in {"rows": table, **others}.items():
            frame.to_parquet(f"{name}.parquet")
        file = TableFile.open("rows.parquet", truth=["y"], weight="w", inputs=["ids", "attention_mask"])
        options = SourceOptions(classes=("high", "low"), kind="probabilities")
        paths = {name: tmp_path / f"{name}.parquet" for name in others}
        roles = {"group": group, "time": time, "unlabelled": unlabelled, "class_weight": class_weight}
        return problem_of_files("means_of_ids:means", file, options, **roles, **paths)

    return opened


def test_classes_groups_and_times_split_them_as_other_rows(problem):
    found = problem()
    assert (found.inputs, found.schema, found.asked_columns) == (("ids", "attention_mask"), None, ())
    assert found.source["inputs"] == ["ids", "attention_mask"]
    assert split(found, seed=0).how == "20% of the rows were drawn for the test, stratified by class."
    grouped = problem(group="customer")
    drawn = split(grouped, seed=0)
    assert not set(TABLE["customer"][drawn.test]) & set(TABLE["customer"][drawn.development])
    assert split(problem(time="day"), seed=0).test.tolist() == list(range(160, COUNT))
    assert split(problem(class_weight="balanced"), seed=0).class_weights is not None


def test_equal_rows_stay_on_one_side_however_they_are_padded(problem, tmp_path):
    padded = TABLE[:40].assign(**{name: [[*row, *[0] * (10 - len(row))] for row in TABLE[name][:40]] for name in ("ids", "attention_mask")})
    pool = pd.concat([TABLE[["ids", "attention_mask"]][:3], NEW])
    found = problem(test=padded, pool=pool, train=TABLE[:10])
    drawn = split(found, seed=0)
    assert drawn.removed["equal to a test row"] == 40
    assert drawn.removed["of the pool, equal to a test row"] == 3
    assert drawn.seen == 10
    train, validation = parts_of(found, drawn, seed=0)
    assert (len(train), len(validation)) == (128, 32)
    write_split(RunFolder(tmp_path), found, drawn)
    assert pd.read_parquet("split.parquet")["part"].value_counts().to_dict() == {"development": 160, "left out": 43, "test": 40, "pool": 2}


def test_rows_without_ground_truth_join_the_pool(problem):
    gaps = TABLE.assign(y=TABLE["y"].where(TABLE.index >= 20))
    found = problem(table=gaps, pool=NEW, unlabelled="pool")
    assert (found.given.count, found.pool.count) == (180, 22)
    assert found.pool.rows[[0, 2]].padded()["ids"].tolist() == [[*NEW["ids"][0], *[0] * (len(IDS[0]) - 3)], IDS[0]]


@pytest.mark.parametrize(
    ("other", "error", "words"),
    [
        (
            {"picture": np.ones((2, 3, 3)), "size": np.ones((2, 3))},
            ShapeError,
            r"'size' of the rows of pool has shape \(3,\); expected",
        ),
        (
            {"picture": np.ones((2, 3, 3))},
            BadInput,
            "of pool have the inputs picture; expected the inputs picture, size, and no others",
        ),
        (
            {"picture": np.full((2, 3, 3), 255), "size": np.ones((2, 2))},
            BadInput,
            "the input 'picture' of the rows of pool holds whole numbers .int64.; expected fractions up to",
        ),
        ((np.ones((2, 3, 3)), np.ones((2, 2))), BadInput, "the rows are several inputs, and pool is several inputs without names"),
        (["a text", "another"], BadInput, "the rows are several inputs, and pool is a list of texts"),
    ],
)
def test_other_inputs_are_refused(other, error, words):
    given = row_set({"picture": RANDOM.uniform(size=(4, 3, 3)), "size": np.ones((4, 2))})
    with pytest.raises(error, match=words):
        in_columns(given, row_set(other), "pool", teacher_too=True)
    swapped = row_set({"size": np.ones((2, 2)), "picture": RANDOM.uniform(size=(2, 3, 3))})
    arranged = in_columns(given, swapped, "pool", teacher_too=True)
    assert list(arranged.rows.fields) == list(arranged.asked.part(0, 2).fields) == ["picture", "size"]
