import sqlite3

import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.targets.sql.literals import LARGEST, double, exact_number, label, labels, name, number, text, total

RNG = np.random.default_rng(0)


def test_a_number_that_is_compared_is_read_exactly():
    values = [*RNG.normal(size=300), *(RNG.normal(size=300).astype(np.float32) / 3 * 1e6), 0.1, 1 / 3, -0.0, LARGEST, -LARGEST, 1e22, 5.5]
    found = sqlite3.connect(":memory:").execute(f"SELECT {', '.join(map(exact_number, values))}").fetchone()
    np.testing.assert_array_equal(found, values)


def test_a_number_is_no_decimal():
    duckdb = pytest.importorskip("duckdb")
    (kind,) = duckdb.connect().execute(f"SELECT typeof({number(0.1)})").fetchone()
    assert kind == "DOUBLE"
    assert number(np.nan) == "NULL"
    with pytest.raises(BadInput, match="infinite"):
        number(np.inf)


@pytest.mark.parametrize("value", ["it's", 'say "hi"', "", "ß 日本 \U0001f642", "a\\b", "-- x"])
def test_texts_and_names_come_back(value):
    database = sqlite3.connect(":memory:")
    assert database.execute(f"SELECT {text(value)}").fetchone() == (value,)
    if value:
        assert database.execute(f"SELECT 1 AS {name(value)}").description[0][0] == value


def test_what_no_database_holds_is_refused():
    for value in ("a\0b", "\ud800"):
        with pytest.raises(BadInput, match="cannot be written in SQL"):
            text(value)
    with pytest.raises(BadInput, match="without a name"):
        name("")


def test_classes_of_every_type_come_back():
    classes = ["a", True, False, 3, -2, 2.5]
    assert list(sqlite3.connect(":memory:").execute(f"SELECT {', '.join(map(label, classes))}").fetchone()) == classes


@pytest.mark.parametrize("classes", [(1, "a"), (True, "a"), (True, 2)])
def test_classes_of_several_types_are_refused(classes):
    with pytest.raises(BadInput, match=rf"the classes {classes[0]!r}, {classes[1]!r} cannot be written in SQL, where .* one type"):
        labels(classes)
    assert labels((0.5, 2)) == ["0.5e0", "2"]


def test_a_whole_number_as_a_class_has_64_bits():
    ends = [-(2**63), 2**63 - 1]
    assert list(sqlite3.connect(":memory:").execute(f"SELECT {', '.join(map(label, ends))}").fetchone()) == ends
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(BadInput, match=f"class {value} cannot be written in SQL"):
            label(value)


def test_a_long_sum_is_not_nested_deeply():
    values = RNG.normal(size=5000)
    (found,) = sqlite3.connect(":memory:").execute(f"SELECT {double(total([number(each) for each in values]))}").fetchone()
    assert found == pytest.approx(values.sum())
