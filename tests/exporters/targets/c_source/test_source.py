import numpy as np
import pytest

from tutelage.exporters.targets.c_source.functions import FUNCTIONS, NEEDS
from tutelage.exporters.targets.c_source.source import Place, Source


@pytest.fixture
def source(program_of_steps):
    return Source(program_of_steps([], (2,)), "my", "float", "double")


def test_templates_are_filled_in(source):
    assert source.text("@number_code @number @cell @@COLUMNS $exp($0.5)") == "my_number_code float double MY_COLUMNS expf(0.5f)"


def test_what_a_function_needs_comes_before_it(source):
    assert source.call("pool", "x") == "@pool(x)"
    assert source.functions == {"pool", "windows"}
    written = source.functions_text()
    assert written.index("} my_windows;") < written.index("static void my_pool")
    names = list(FUNCTIONS)
    assert all(names.index(need) < names.index(name) for name, needs in NEEDS.items() for need in needs)


def test_places_are_addresses_and_items():
    assert (Place("work", 3, "float").pointer, Place("work", 3, "float").item("i"), Place("work", 3, "float").item(2)) == (
        "work + 3",
        "work[3 + i]",
        "work[5]",
    )
    assert (Place("row", 0, "float").pointer, Place("row", 0, "float").item("i")) == ("row", "row[i]")


def test_tables_have_names_of_their_own(source):
    assert [source.reals(np.ones(2)), source.integers([1, -1])] == ["@c0", "@c1"]
    assert "static const float my_c0[2] = {\n    1.0f, 1.0f\n}" in source.constants[0]
    assert "static const int8_t my_c1[2]" in source.constants[1]
