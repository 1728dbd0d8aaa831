import numpy as np
import pandas as pd
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.row_names import data_name
from tutelage.data.rows import as_rows
from tutelage.data.schema import Column, Schema
from tutelage.data.table_file import TableFile, rows_from

FRAME = pd.DataFrame({"id": [7, 8, 9], "size": [1.0, 2.0, 3.0], "colour": ["red", "blue", "red"], "y": ["no", "yes", "no"]})


@pytest.fixture(params=[".parquet", ".csv", ".jsonl"])
def path(request, tmp_path):
    path = tmp_path / f"rows{request.param}"
    if request.param == ".parquet":
        FRAME.to_parquet(path, row_group_size=2)
    elif request.param == ".csv":
        FRAME.to_csv(path, index=False)
    else:
        FRAME.to_json(path, orient="records", lines=True)
    return path


def test_ground_truth_and_dropped_columns_are_not_features(path):
    file = TableFile.open(path, truth=["y"], drop=["id"])
    assert file.features == ("size", "colour")
    assert file.rows().count == 3
    assert file.rows().part(1, 3).to_numpy().tolist() == [[2.0, "blue"], [3.0, "red"]]
    assert file.truth_values().tolist() == ["no", "yes", "no"]
    assert file.values("id").tolist() == [7, 8, 9]
    assert list(file.choices()) == [
        ("size", "colour"),
        ("id", "size", "colour"),
        ("size", "colour", "y"),
        ("id", "size", "colour", "y"),
    ]


def test_rows_of_all_columns_equal_those_of_the_path(path):
    file = TableFile.open(path)
    assert data_name(file.rows()) == data_name(as_rows(path))
    assert file.truth_values() is None


def test_rows_may_be_a_column_of_texts(path):
    file = TableFile.open(path, text="colour", truth=["y"])
    assert file.rows().part(0, 2) == ["red", "blue"]
    assert file.features == ("colour",)


def test_multiple_ground_truth_columns_are_a_matrix(path):
    assert TableFile.open(path, truth=["id", "size"]).truth_values().tolist() == [[7, 1], [8, 2], [9, 3]]


def test_a_sibling_has_the_same_roles_for_the_columns_that_it_has(path, tmp_path):
    FRAME.drop(columns="y").to_csv(tmp_path / "blind.csv", index=False)
    blind = TableFile.open(path, truth=["y"], drop=["id"]).sibling(tmp_path / "blind.csv")
    assert (blind.features, blind.truth, blind.drop) == (("size", "colour"), (), ("id",))


def test_a_sibling_has_the_weights_if_it_has_their_column(path, tmp_path):
    FRAME.drop(columns="id").to_csv(tmp_path / "light.csv", index=False)
    FRAME.to_csv(tmp_path / "heavy.csv", index=False)
    file = TableFile.open(path, truth=["y"], weight="id")
    heavy, light = (file.sibling(tmp_path / name) for name in ("heavy.csv", "light.csv"))
    assert (heavy.weights().tolist(), heavy.features) == ([7, 8, 9], ("size", "colour"))
    assert light.weights() is None


def test_the_index_of_pandas_is_not_a_column(tmp_path):
    FRAME[::-1].to_parquet(tmp_path / "rows.parquet")
    file = TableFile.open(tmp_path / "rows.parquet", truth=["y"])
    assert file.features == ("id", "size", "colour")
    assert list(file.rows().part(0, 3).columns) == ["id", "size", "colour"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"truth": ["yy"]}, r"has no column 'yy'; it has 'id', 'size', 'colour', 'y'\."),
        ({"drop": ["colours"]}, "Did you mean colour"),
        ({"text": "y", "truth": ["y"]}, "cannot be the ground truth"),
        ({"truth": ["y"], "drop": ["id", "size", "colour"]}, "no column of .* is left"),
    ],
)
def test_the_error_names_an_invalid_column(options, match, path):
    with pytest.raises(BadInput, match=match):
        TableFile.open(path, **options)


def test_the_error_names_empty_cells_of_the_ground_truth_and_the_texts(tmp_path):
    FRAME.assign(y=["no", None, "no"], score=[1.0, 2.0, np.nan]).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match=r"'y' of .* has 1 empty cells \(first: row 1\)"):
        TableFile.open(tmp_path / "rows.parquet", truth=["y"]).truth_values()
    with pytest.raises(BadInput, match=r"'score' of .* has 1 empty cells \(first: row 2\)"):
        TableFile.open(tmp_path / "rows.parquet", truth=["score"]).truth_values()
    with pytest.raises(BadInput, match=r"row 1 of .* is empty where a text is expected"):
        TableFile.open(tmp_path / "rows.parquet", text="y").rows().part(0, 3)
    with pytest.raises(BadInput, match=r"row 0 of .* holds a int where a text is expected"):
        TableFile.open(tmp_path / "rows.parquet", text="id").rows().part(0, 3)


def test_a_numpy_file_has_no_column_names(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(3))
    assert TableFile.open(tmp_path / "rows.npy").rows().part(0, 1).tolist() == [[1, 0, 0]]
    with pytest.raises(BadInput, match="has no column names, so there is no column 'y'"):
        TableFile.open(tmp_path / "rows.npy", truth=["y"])


def test_the_arrays_of_an_archive_have_the_roles_of_columns(tmp_path):
    rows, truth = np.arange(24, dtype=np.uint8).reshape(6, 2, 2), np.array(["a", "b"] * 3)
    path = tmp_path / "rows.npz"
    np.savez(path, pictures=rows, y=truth, w=np.arange(6), id=np.arange(6))
    file = TableFile.open(path, truth=["y"], weight="w", drop=["id"])
    np.testing.assert_array_equal(file.rows().part(0, 6), rows)
    assert (file.truth_values().tolist(), file.weights().tolist(), file.names) == (
        truth.tolist(),
        [0, 1, 2, 3, 4, 5],
        ("pictures", "y", "w", "id"),
    )
    assert (file.columns, file.features, file.schema, list(file.choices())) == ((), (), None, [()])
    np.savez(tmp_path / "more.npz", pictures=rows[:2], y=truth[:2])
    assert file.sibling(tmp_path / "more.npz").rows().count == 2
    np.savez(tmp_path / "other.npz", X=rows, images=rows)
    assert file.sibling(tmp_path / "other.npz").rows().count == 6


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"truth": ["label"]}, "has no array 'label'; it has 'X', 'y'"),
        ({"drop": ["label"]}, "has no array 'label'"),
        ({"weight": "z"}, "has no array 'z'"),
        ({"weight": "y", "truth": ["y"]}, "'y' holds the weights and cannot be the ground truth as well"),
        ({"text": "y"}, "has no column names, so there is no column 'y'"),
        ({"dtype": {"y": "text"}}, "has no column names, so there is no column 'y'"),
    ],
)
def test_roles_that_no_array_can_have_are_refused(tmp_path, roles, message):
    np.savez(tmp_path / "rows.npz", X=np.eye(3), y=np.arange(3))
    with pytest.raises(BadInput, match=message):
        TableFile.open(tmp_path / "rows.npz", **roles)


def test_a_file_without_rows_and_a_missing_file_are_rejected(tmp_path):
    FRAME[:0].to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ShapeError, match="has no rows"):
        TableFile.open(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match="there is no file"):
        TableFile.open(tmp_path / "gone.csv")


def test_weights_are_not_a_feature(path):
    file = TableFile.open(path, truth=["y"], weight="size")
    assert file.features == ("id", "colour")
    assert file.weights().tolist() == [1, 2, 3]
    assert TableFile.open(path).weights() is None
    assert list(file.choices())[:2] == [("id", "colour"), ("id", "size", "colour")]
    with pytest.raises(BadInput, match=r"column 'colour' of .* does not hold weights; expected finite numbers"):
        TableFile.open(path, weight="colour").weights()
    with pytest.raises(BadInput, match="cannot be the ground truth or the texts as well"):
        TableFile.open(path, weight="y", truth=["y"])
    with pytest.raises(BadInput, match="Did you mean size"):
        TableFile.open(path, weight="sizes")


@pytest.mark.parametrize("weights", [[1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, np.inf, 1.0], ["1", "2", "x"]])
def test_numbers_that_are_no_weights_are_refused(weights, tmp_path):
    FRAME.assign(w=weights).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(BadInput, match="does not hold weights"):
        TableFile.open(tmp_path / "rows.parquet", weight="w").weights()


def test_several_files_are_one_table(path):
    other = path.with_name(f"other{path.suffix}")
    other.write_bytes(path.read_bytes())
    file = TableFile.open([path, other], truth=["y"], drop=["id"])
    assert file.truth_values().tolist() == ["no", "yes", "no"] * 2
    assert file.rows().part(2, 4)["size"].tolist() == [3.0, 1.0]


def test_a_sibling_has_the_same_types(tmp_path):
    (tmp_path / "a.csv").write_text("zip,x\n007,1\n12,2\n")
    (tmp_path / "b.csv").write_text("zip,x\n12,1\n13,2\n")
    sibling = TableFile.open(tmp_path / "a.csv").sibling(tmp_path / "b.csv")
    assert sibling.rows().part(0, 2)["zip"].tolist() == ["12", "13"]


def test_numpy_files_are_not_read_together(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(3))
    with pytest.raises(BadInput, match="several files need column names"):
        TableFile.open([tmp_path / "rows.npy", tmp_path / "rows.npy"])


def test_a_feature_of_training_is_no_row_index_of_a_sibling(tmp_path):
    (tmp_path / "a.csv").write_text("index,x\n7,1\n3,2\n")
    (tmp_path / "b.csv").write_text("index,x\n0,1\n1,2\n")
    sibling = TableFile.open(tmp_path / "a.csv").sibling(tmp_path / "b.csv")
    assert (sibling.features, sibling.stored_columns) == (("index", "x"), ("index", "x"))
    assert TableFile.open(tmp_path / "b.csv").features == ("x",)


def test_a_file_is_read_as_the_types_of_a_schema(tmp_path):
    (tmp_path / "b.csv").write_text("index,zip,day,y\n0,12,2020-01-01,a\n1,13,2020-01-02,b\n")
    file = TableFile.open(tmp_path / "b.csv", truth=["y"])
    recorded = Schema((Column("zip", "text"), Column("index", "number"), Column("gone", "number"), Column("day", "any")))
    matched = file.matching(recorded)
    assert (matched.features, matched.truth) == (("index", "zip", "day"), ("y",))
    assert matched.rows().part(0, 2)["zip"].tolist() == ["12", "13"]
    assert [column.type for column in matched.schema.columns] == ["number", "text", "date", "text"]
    declared = TableFile.open(tmp_path / "b.csv", dtype={"zip": "category"}).matching(recorded)
    assert declared.source.types["zip"] == "category"
    with pytest.raises(BadInput, match=r"column 'zip' of .* holds '12' in row 0, and dates are expected"):
        file.matching(Schema((Column("zip", "date"),)))


def test_a_file_that_matches_is_not_read_again(tmp_path):
    (tmp_path / "b.csv").write_text("index,x\n0,1\n1,2\n")
    file = TableFile.open(tmp_path / "b.csv")
    assert file.matching(Schema((Column("x", "number"),))).source is file.source
    assert file.matching(None) is file
    assert file.matching(Schema((Column(None, "text"),))).source is file.source


def test_names_with_spaces_match_those_of_lightgbm(tmp_path):
    (tmp_path / "b.csv").write_text("Unnamed: 0,x y\n0,1\n1,2\n")
    schema = Schema((Column("Unnamed:_0", "number"), Column("x_y", "text")), underscores=True)
    matched = TableFile.open(tmp_path / "b.csv").matching(schema)
    assert matched.features == ("Unnamed: 0", "x y")
    assert matched.source.types["x y"] == "text"


def written(path, content):
    path.write_text(content)
    return path


NA = "zip,c\n00501,x\n10115,NA\n"
"""A column of texts beside another one, which a file that holds 10115 alone does not have."""


@pytest.mark.parametrize("other", ["00501,y\n", ""], ids=["same types", "other types"])
def test_no_other_column_decides_whether_a_cell_is_a_gap(other, tmp_path):
    learnt = TableFile.open(written(tmp_path / "a.csv", NA))
    file = TableFile.open(written(tmp_path / "b.csv", "zip,c\n10115,NA\n75001,x\n" + other))
    for found in (learnt.sibling(tmp_path / "b.csv"), file.matching(learnt.schema)):
        assert found.rows().part(0, 2).isna().to_numpy().tolist() == [[False, True], [False, False]]
        assert found.values("zip").tolist()[:2] == ["10115", "75001"]


@pytest.mark.parametrize("learnt_from", ["a.parquet", "a.jsonl", "declared", "model"])
@pytest.mark.parametrize("other", ["00501,y,1\n", ""], ids=["same types", "other types"])
def test_a_text_that_was_learnt_is_no_gap(learnt_from, other, tmp_path):
    (tmp_path / "b.csv").write_text("zip,c,n\n10115,NA,1\n75001,null,NA\n" + other)
    rows = pd.DataFrame({"zip": ["00501", "10115"], "c": ["x", "NA"], "n": [1, 2]})
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    rows.to_csv(tmp_path / "a.csv", index=False)
    if learnt_from == "model":
        schema = Schema((Column("zip", "text"), Column("c", "category", ("NA", "x")), Column("n", "any")))
    else:
        name, dtype = ("a.csv", {"c": "text"}) if learnt_from == "declared" else (learnt_from, None)
        schema = TableFile.open(tmp_path / name, dtype=dtype).schema
    assert [column.literals for column in schema.columns] == [(), ("NA",), ()]
    file = TableFile.open(tmp_path / "b.csv").matching(schema)
    found = file.rows().part(0, 2)
    assert (found["zip"].tolist(), found["c"].isna().tolist(), found["c"][0]) == (["10115", "75001"], [False, True], "NA")
    assert found["n"].isna().tolist() == [False, True]
    again = Schema.from_json(file.schema.to_json())
    assert (again, again.columns[1].literals) == (file.schema, ("NA",))


def test_a_literal_is_known_in_files_that_do_not_hold_it(tmp_path):
    pd.DataFrame({"c": ["NA", "x"]}).to_parquet(tmp_path / "a.parquet")
    first = TableFile.open(tmp_path / "a.parquet")
    without = first.sibling(written(tmp_path / "b.csv", "c\nx\ny\n"))
    assert without.schema.columns[0].literals == ("NA",)
    assert without.sibling(written(tmp_path / "c.csv", "c\nNA\ny\n")).values("c").tolist() == ["NA", "y"]


def test_a_declared_type_holds_for_siblings_too(tmp_path):
    file = TableFile.open(written(tmp_path / "a.csv", "c,d\nnull,1\ny,2\n"), dtype={"c": "text", "d": "text"}, drop=["d"])
    sibling = file.sibling(written(tmp_path / "b.csv", "c,d\nNA,1\ny,2\n"))
    assert (sibling.values("c").tolist(), sibling.values("d").tolist()) == (["NA", "y"], ["1", "2"])
    assert TableFile.open(tmp_path / "b.csv").matching(file.schema).values("c", gaps=True).tolist() == [None, "y"]  # null alone was learnt
    lacking = file.sibling(written(tmp_path / "d.csv", "c\nNA\n"))
    assert lacking.values("c").tolist() == ["NA"]


def test_two_schemas_of_one_file_agree_about_its_texts(tmp_path):
    file = TableFile.open(written(tmp_path / "b.csv", "c,e\nNA,null\nx,1\n"))
    first, second = Schema((Column("c", "text", literals=("NA",)),)), Schema((Column("c", "any"), Column("e", "category", ("null", "1"))))
    for found in (file.matching(first).matching(second), file.matching(second).matching(first)):
        assert (found.values("c").tolist(), found.values("e").tolist()) == (["NA", "x"], ["null", "1"])


@pytest.mark.parametrize("cells", [["NA", "good"], ["10", "20"], ["2020-01-31", "2021-01-31"], ["true", "false"], ["1,5", "2,5"]])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_texts_that_are_the_rows_stay_as_they_stand(cells, name, tmp_path):
    frame = pd.DataFrame({"t": cells, "n": [1, 2]})
    frame.to_csv(tmp_path / name, index=False, sep=";") if name == "a.csv" else frame.to_json(tmp_path / name, orient="records", lines=True)
    opened = TableFile.open(tmp_path / name, text="t", drop=["n"])
    for file in (opened, TableFile.open(tmp_path / name).with_roles(text="t"), opened.sibling(tmp_path / name)):
        assert file.rows().part(0, 2) == cells
        assert rows_from(file.rows().origin).part(0, 2) == cells
    assert opened.matching(Schema((Column("t", "number"),))).rows().part(0, 2) == cells


def test_an_empty_cell_is_no_text(tmp_path):
    with pytest.raises(BadInput, match=r"row 0 of .* is empty where a text is expected"):
        TableFile.open(written(tmp_path / "a.csv", "t,n\n,1\nNA,2\n"), text="t").rows().part(0, 2)


def test_a_class_is_no_gap_in_the_ground_truth(tmp_path):
    file = TableFile.open(written(tmp_path / "a.csv", "a,y\nNone,None\nx,NA\ny,Low\n"), truth=["y"])
    known = file.matching(None, ["Low", "None", 3])
    assert known.truth_values(gaps=True).tolist() == ["None", None, "Low"]
    assert known.rows().part(0, 1)["a"].isna().all()
    assert file.matching(None, ["Low"]).source is file.source
    with pytest.raises(
        BadInput, match=r"1 empty cells \(first: row 1\).* A cell 'NA' is read as an empty one; declare dtype=\{'y': 'text'\}"
    ):
        known.truth_values()
    assert TableFile.open(tmp_path / "a.csv", truth=["y"], dtype={"y": "text"}).gaps_note("y") == ""


def test_the_names_of_folders_are_read_as_texts_in_a_file_are(tmp_path):
    for country in ("NA", "FR"):
        (tmp_path / f"country={country}").mkdir()
        (tmp_path / f"country={country}" / "a.csv").write_text("zip\n10115\n")
    file = TableFile.open(tmp_path)
    assert file.values("country", gaps=True).tolist() == ["FR", None]
    learnt = Schema((Column("zip", "text"), Column("country", "text")))
    assert file.matching(learnt).values("country", gaps=True).tolist() == ["FR", None]
    known = Schema((Column("country", "category", ("FR", "NA")),))
    assert file.matching(known).values("country").tolist() == ["FR", "NA"]
    assert TableFile.open(tmp_path, dtype={"country": "text"}).values("country").tolist() == ["FR", "NA"]
