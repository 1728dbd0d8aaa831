import sqlite3

import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.exporters.export import export
from tutelage.exporters.proof import edge_cases
from tutelage.students.columns import with_columns

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
FRAME = pd.DataFrame(X.astype(np.float64), columns=["a", 'the "b"', "Ünit"])


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(edge_cases, "ROWS", 200)


def answered(path, frame, table="rows"):
    database = sqlite3.connect(":memory:")
    frame.to_sql(table, database)
    return pd.read_sql_query(path.read_text(), database).sort_values("tutelage_row")


def test_every_row_comes_back_with_its_answers(tmp_path):
    y = np.where(X[:, 0] > 0, "it's", "b")
    student = tl.SoftTree(max_leaf_nodes=8, random_state=0).fit(FRAME, y)
    record = export(student, tmp_path / "student.sql", check_on=FRAME, table="clients")
    assert record.proven
    assert record.proofs[0].decisions_changed == 0
    comment = [line for line in (tmp_path / "student.sql").read_text().splitlines() if line.startswith("--")]
    assert max(map(len, comment)) <= 100
    assert str(record.proofs[0]) in " ".join(comment).replace(" -- ", " ")
    frame = FRAME.assign(prediction_of_last_year="x")
    found = answered(tmp_path / "student.sql", frame, "clients")
    assert set(frame.columns) < set(found.columns)
    np.testing.assert_array_equal(found["prediction"], student.predict(FRAME))
    np.testing.assert_allclose(found[["probability_0", "probability_1"]], student.predict_proba(FRAME))


OLD = FRAME.assign(prediction="old", Probability_1=-1.0, v0_0=7)


def test_answers_of_a_table_that_has_some_already_are_the_new_ones(tmp_path):
    student = tl.SoftTree(max_leaf_nodes=8, random_state=0).fit(FRAME, np.where(X[:, 0] > 0, "yes", "no"))
    export(student, tmp_path / "student.sql", check_on=FRAME)
    statement = (tmp_path / "student.sql").read_text()
    expected = list(zip(student.predict(FRAME).tolist(), student.predict_proba(FRAME)[:, 1].tolist(), strict=True))
    chosen = f"SELECT prediction, probability_1 FROM ({statement}) AS answered ORDER BY tutelage_row"  # noqa: S608
    database = sqlite3.connect(":memory:")
    OLD.to_sql("rows", database, index=False)
    assert database.execute(chosen).fetchall() == expected
    database.execute(f"CREATE VIEW answered AS {statement}")
    assert database.execute("SELECT prediction, probability_1 FROM answered ORDER BY tutelage_row").fetchall() == expected
    duckdb = pytest.importorskip("duckdb")
    of_duckdb = duckdb.connect()
    of_duckdb.register("rows", OLD)
    assert of_duckdb.execute(chosen).fetchall() == expected
    of_duckdb.execute(f"CREATE TABLE answered AS {statement}")
    assert of_duckdb.execute("SELECT prediction, probability_1 FROM answered ORDER BY tutelage_row").fetchall() == expected


@pytest.mark.exhaustive
def test_categories_and_gaps_of_a_table(tmp_path):
    frame = pd.DataFrame({"size": np.where(X[:, 0] > 1, np.nan, X[:, 0]), "colour": RNG.choice(["red", "it's", None], 120)})
    shares = RNG.dirichlet(np.ones(3), 120)
    for number, (student, scaled) in enumerate([(tl.SoftForest(n_estimators=3, random_state=0), False), (tl.SoftLogistic(), True)]):
        fitted = with_columns(student, frame, scaled=scaled).fit(frame, shares)
        record = export(fitted, tmp_path / f"{number}.sql", check_on=frame)
        assert all(proof.worst_difference < 1e-12 for proof in record.proofs)
        assert "missing values" not in record.proofs[0].refused


@pytest.mark.exhaustive
def test_several_values_and_labels(tmp_path):
    from sklearn.linear_model import Ridge

    values = Ridge().fit(X, X[:, :2] * 2)
    export(values, tmp_path / "values.sql", check_on=X)
    frame = pd.DataFrame(X.astype(np.float64), columns=["x0", "x1", "x2"])
    found = answered(tmp_path / "values.sql", frame)
    np.testing.assert_allclose(found[["prediction_0", "prediction_1"]], values.predict(X.astype(np.float64)))
    labels = tl.PerLabel(tl.SoftTree(max_leaf_nodes=4)).fit(X, np.column_stack([X[:, 0] > 0, X[:, 1] > 1]).astype(float) * 0.8 + 0.1)
    export(labels, tmp_path / "labels.sql", check_on=X)
    found = answered(tmp_path / "labels.sql", frame)
    np.testing.assert_array_equal(found[["prediction_0", "prediction_1"]], labels.predict(X))


def test_the_head_names_the_column_of_a_single_label(tmp_path):
    single = tl.PerLabel(tl.SoftTree(max_leaf_nodes=4)).fit(X, np.where(X[:, :1] > 0, 0.9, 0.1), classes=["spam"])
    export(single, tmp_path / "single.sql", check_on=X)
    head = " ".join(line.removeprefix("-- ") for line in (tmp_path / "single.sql").read_text().splitlines() if line.startswith("--"))
    assert (
        "It adds the probabilities of the labels and the decision as prediction, which is 0 or 1: probability_0 is that of 'spam'" in head
    )
    found = answered(tmp_path / "single.sql", pd.DataFrame(X.astype(np.float64), columns=["x0", "x1", "x2"]))
    np.testing.assert_array_equal(found[["prediction"]], single.predict(X))


def test_comments_cannot_be_left(tmp_path):
    y = np.where(X[:, 0] > 0, "a\n; DROP TABLE rows; --", "b")
    student = tl.SoftTree(max_leaf_nodes=3, random_state=0).fit(X, y)
    export(student, tmp_path / "student.sql", check_on=X)
    assert "\n; DROP" not in (tmp_path / "student.sql").read_text().partition("WITH")[0]


@pytest.mark.parametrize("table", ["tutelage_rows", "a\0b", "a..b"])
def test_tables_that_cannot_be_named_are_refused(table, tmp_path):
    student = tl.SoftTree(max_leaf_nodes=3).fit(X, X[:, 0] > 0)
    with pytest.raises(BadInput, match=r"tutelage_|cannot be written|without a name"):
        export(student, tmp_path / "student.sql", check_on=X, table=table)
    assert not (tmp_path / "student.sql").exists()


@pytest.mark.parametrize("name", ["prediction", "Probability_1"])
def test_columns_named_as_answers_are_refused(name, tmp_path):
    frame = FRAME.rename(columns={"a": name})
    student = tl.SoftTree(max_leaf_nodes=3).fit(frame, X[:, 0] > 0)
    with pytest.raises(BadInput, match=f"column is named '{name}', as one of the answers"):
        export(student, tmp_path / "student.sql", check_on=frame)


def test_the_head_names_the_class_of_each_probability(tmp_path):
    student = tl.SoftTree(max_leaf_nodes=3).fit(X, np.where(X[:, 0] > 0, 3, 7))
    export(student, tmp_path / "student.sql", check_on=X)
    written = (tmp_path / "student.sql").read_text().replace("\n-- ", " ")
    assert "prediction: probability_0 is that of 3, probability_1 is that of 7." in written


def test_precision_is_double(tmp_path):
    student = tl.SoftTree(max_leaf_nodes=3).fit(X, X[:, 0] > 0)
    with pytest.raises(BadInput, match="SQL has 'double'"):
        export(student, tmp_path / "student.sql", check_on=X, precision="single")


def typed(count=60):
    """A table with a column of every type that becomes numbers."""
    frame = pd.DataFrame(
        {"on": pd.date_range("2020-01-01 06:00", periods=count), "new": RNG.random(count) > 0.5, "size": RNG.normal(size=count)}
    )
    shares = np.column_stack([(np.arange(count) > 20) * 0.5, frame["new"] * 0.3, (frame["size"] > 0) * 0.2])
    return frame, np.column_stack([shares.sum(axis=1), 1 - shares.sum(axis=1)])


def test_the_file_says_what_its_columns_take_and_a_date_as_a_text_has_no_answer(tmp_path):
    frame, shares = typed()
    student = with_columns(tl.SoftTree(max_leaf_nodes=8), frame, scaled=False).fit(frame, shares)
    assert export(student, tmp_path / "student.sql", check_on=frame).proven
    head = (tmp_path / "student.sql").read_text().partition("WITH")[0]
    for found in ("'on' takes days since 1970-01-01", "julianday(d) - 2440587.5", "'new' takes 0 or 1", "they are NULL"):
        assert found in head
    found = answered(tmp_path / "student.sql", frame)
    assert found[["probability_0", "probability_1", "prediction"]].isna().all(axis=None)
    database = sqlite3.connect(":memory:")
    frame.to_sql("given", database)
    database.execute('CREATE VIEW rows AS SELECT julianday("on") - 2440587.5 AS "on", new, size FROM given')
    found = pd.read_sql_query((tmp_path / "student.sql").read_text(), database).sort_values("tutelage_row")
    np.testing.assert_allclose(found[["probability_0", "probability_1"]], student.predict_proba(frame))


def test_truth_values_of_duckdb(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    frame, shares = typed()
    frame = frame.drop(columns="on")
    student = with_columns(tl.SoftTree(max_leaf_nodes=8), frame, scaled=False).fit(frame, shares)
    export(student, tmp_path / "student.sql", check_on=frame)
    database = duckdb.connect()
    database.register("given", frame)
    for kind in ("BOOLEAN", "INTEGER", "DOUBLE", "INTEGER AS VARCHAR"):
        cell = "CAST(" * kind.count(" AS ") + f"CAST(new AS {kind.replace(' AS ', ') AS ')})"
        database.execute(f"CREATE OR REPLACE TABLE rows AS SELECT {cell} AS new, size FROM given")  # noqa: S608
        found = database.execute((tmp_path / "student.sql").read_text()).df().sort_values("tutelage_row")
        np.testing.assert_allclose(found[["probability_0", "probability_1"]], student.predict_proba(frame))
