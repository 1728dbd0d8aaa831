import ast
import re

import numpy as np
import pytest

from tutelage.core.errors import BadInput
from tutelage.exporters.targets.c_source.literals import comment, identifier, integer_type, real, table, text


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("student", "student"),
        ("My-Student 2", "my_student_2"),
        ("2nd", "student_2nd"),
        ("int", "int"),
        ("日本", "student"),
        ("a__b", "a_b"),
    ],
)
def test_names_of_files_become_names_in_c(stem, name):
    assert identifier(stem) == name


@pytest.mark.parametrize("value", [0.1, -0.0, 1.0, 1e22, 1e-300, 5e-324, np.finfo(float).max, 123456789.123])
def test_numbers_read_back_the_same(value):
    written = real(value, "double")
    read = float.fromhex(written) if "0x" in written else float(written)
    assert np.float64(read).tobytes() == np.float64(value).tobytes()
    assert re.search(r"[.ex]", written)


@pytest.mark.parametrize("value", [0.1, 16777216.0, 1e-45, 1e10, 3.4e38])
def test_numbers_in_single_precision_read_back_the_same(value):
    written = real(value, "float").removesuffix("f")
    assert np.float32(float.fromhex(written) if "0x" in written else float(written)) == np.float32(value)


def test_numbers_that_are_none():
    assert [real(value, "double") for value in (np.nan, np.inf, -np.inf)] == ["(double)NAN", "HUGE_VAL", "-HUGE_VAL"]
    assert [real(value, "float") for value in (np.nan, 1e300, -np.inf)] == ["NAN", "HUGE_VALF", "-HUGE_VALF"]


@pytest.mark.parametrize("value", ["", "plain", 'a"b\\c', "??/ ??=", "new\nline\t", "Grüße 日本", "%s\x7f", "\\x41", "a1\x011"])
def test_texts_read_back_the_same(value):
    written = text(value, "the class")
    assert written.isascii()
    assert "??" not in written
    assert "\n" not in written
    assert ast.literal_eval("b" + written) == value.encode()


@pytest.mark.parametrize(
    ("value", "words"), [("a\0b", "holds the character zero"), ("x" * 5000, "has 5000 bytes"), ("\ud800", "no valid Unicode")]
)
def test_texts_that_c_does_not_have_are_refused(value, words):
    with pytest.raises(BadInput, match=words):
        text(value, "the class")


@pytest.mark.parametrize("value", ["*/ int x; /*", "??/", "a\nb\r\u2028c", "é\\", "/*/ **/", "\u202e\ud800"])
def test_comments_do_not_end(value):
    written = comment(value)
    assert written.isprintable()
    assert not re.search(r"\*/|/\*|\?\?", written)


def test_comments_keep_names_in_any_script():
    assert comment("Größe 年齢") == "Größe 年齢"


def test_whole_numbers_have_the_smallest_type():
    kinds = [[0, 255], [-1, 127], [0, 256], [-129], [70000], [-70000], []]
    assert [integer_type(each) for each in kinds] == ["uint8_t", "int8_t", "uint16_t", "int16_t", "uint32_t", "int32_t", "uint8_t"]
    with pytest.raises(BadInput, match="4 000 000 000"):
        integer_type([2**33])


def test_no_table_is_empty():
    assert "empty[1] = {\n    0\n}" in table("float", "empty", [])
