import json

import pytest

from tutelage.core.answers import AnswerForm
from tutelage.core.errors import DamagedFile
from tutelage.data.schema import Column, Schema
from tutelage.teachers.adapters.onnx_metadata import FileDescription

FORMS = [
    AnswerForm("probabilities", "binary", (False, True)),
    AnswerForm("probabilities", "multiclass", (1, "1", 0.5)),
    AnswerForm("probabilities", "multilabel", ("ü",)),
    AnswerForm("values", "regression"),
]
COLUMNS = [None, Schema((Column("a b", "number"), Column("c", "number"))), Schema((Column(None, "number"),))]


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("form", FORMS)
def test_a_description_survives_its_metadata(form, columns):
    written = FileDescription(form, columns).to_metadata()
    read = FileDescription.from_metadata(written)
    assert read == FileDescription(form, columns)
    assert [type(label) for label in read.form.classes] == [type(label) for label in form.classes]


CASCADE = {"threshold": 0.9, "target": 0.99, "delta": 0.05, "teacher": "a teacher", "rows": 400, "own_decisions": True}


def test_a_description_keeps_the_guarantee_of_a_threshold():
    written = FileDescription(FORMS[0], COLUMNS[1], CASCADE).to_metadata()
    assert json.loads(written["cascade"]) == CASCADE
    assert FileDescription.from_metadata(written).cascade == CASCADE
    assert "cascade" not in FileDescription(FORMS[0], COLUMNS[1]).to_metadata()


def test_a_description_names_the_token_that_pads_ids_where_there_is_one():
    assert FileDescription.from_metadata(FileDescription(FORMS[0], None, pad_token=0).to_metadata()).pad_token == 0
    assert "pad_token" not in FileDescription(FORMS[0], None).to_metadata()


def test_a_description_keeps_the_categories_unless_they_are_many():
    written = FileDescription(FORMS[0], COLUMNS[1], levels={1: ("car", "ü")}).to_metadata()
    assert json.loads(written["columns"])[1] == {"name": "c", "type": "number", "levels": ["car", "ü"]}
    assert FileDescription.from_metadata(written).levels == {1: ("car", "ü")}
    many = FileDescription(FORMS[0], COLUMNS[1], levels={1: tuple(map(str, range(101)))})
    assert FileDescription.from_metadata(many.to_metadata()).levels == {}


@pytest.mark.parametrize(
    "change",
    [
        {"cascade": "{}"},
        {"cascade": "3"},
        {"cascade": json.dumps({**CASCADE, "threshold": None})},
        {"cascade": json.dumps({**CASCADE, "target": True})},
        {"classes": "[1, 1]"},
        {"classes": "{"},
        {"classes": "3"},
        {"kind": '"magic"'},
        {"columns": '["a"]'},
        {"columns": '[{"name": "a", "type": "x"}]'},
        {"columns": '[{"name": "a", "type": "category", "levels": [1]}]'},
        {"task": None},
        {"pad_token": "[]"},
        {"pad_token": '"a"'},
        {"classes": "[" * 100_000},
    ],
)
def test_damaged_metadata_is_refused(change):
    written = FileDescription(FORMS[0], COLUMNS[1]).to_metadata() | change
    metadata = {key: value for key, value in written.items() if value is not None}
    with pytest.raises(DamagedFile, match=r"the file's metadata is not what tutelage writes .* Export the student again"):
        FileDescription.from_metadata(metadata)


def test_the_metadata_is_json():
    written = FileDescription(FORMS[2], COLUMNS[1]).to_metadata()
    assert {key: json.loads(value) for key, value in written.items()} == {
        "kind": "probabilities",
        "task": "multilabel",
        "classes": ["ü"],
        "columns": [{"name": "a b", "type": "number"}, {"name": "c", "type": "number"}],
    }


def test_a_description_says_whether_each_row_is_asked_alone():
    written = FileDescription(FORMS[0], COLUMNS[1], row_by_row=True).to_metadata()
    assert FileDescription.from_metadata(written).row_by_row
    assert "row_by_row" not in FileDescription(FORMS[0], COLUMNS[1]).to_metadata()
