import re

import pytest

from tutelage.core import errors
from tutelage.core.errors import BadInput, ShapeError, one_line, printable, reported_as_ours, shown, without_exit


def test_require_names_the_extra_of_a_missing_package(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(errors.importlib, "import_module", absent)
    with pytest.raises(errors.MissingExtra, match=r'^onnxruntime is needed here and not installed: pip install "tutelage\[onnx\]"$'):
        errors.require("onnxruntime")


def test_require_names_the_missing_dependency_of_a_module(tmp_path, monkeypatch):
    (tmp_path / "skl2onnx.py").write_text("import absent_package")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "skl2onnx", raising=False)
    with pytest.raises(errors.MissingExtra, match="absent_package is needed here"):
        errors.require("skl2onnx")


def test_require_returns_an_installed_module():
    assert errors.require("json").loads("[1]") == [1]


def test_multiple_missing_extras_are_reported_together(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in ("torch", "jinja2", "matplotlib") else object())
    with pytest.raises(errors.MissingExtra, match=r'torch, jinja2, matplotlib are needed .* pip install "tutelage\[torch,report\]"'):
        errors.require_extras(("torch", "onnx", "report"))


def test_the_tree_in_the_docstring_matches_the_classes():
    for name in re.findall(r"── (\w+)", errors.__doc__):
        assert issubclass(getattr(errors, name), errors.TutelageError)
    drawn = set(re.findall(r"── (\w+)", errors.__doc__)) | {"TutelageError"}
    assert drawn == {name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__}
    assert issubclass(errors.MissingExtra, ImportError)
    assert issubclass(errors.ShapeError, ValueError)


def test_the_closest_known_name_is_suggested():
    assert errors.did_you_mean("mnits", ["moons", "mnist"]) == " Did you mean mnist?"
    assert errors.did_you_mean("zzz", ["moons", "mnist"]) == ""


def test_the_message_of_another_librarys_error_is_one_short_line():
    assert errors.one_line(ValueError("first\n  second\nStack trace:\n third")) == "first second"
    assert errors.one_line(KeyError()) == "KeyError"
    assert len(errors.one_line(ValueError("x" * 900))) == 200


def test_control_characters_in_a_name_are_written_out():
    error = BadInput("column 'a\x1b[2J\x9b\u202e\ud800' is\nno\tnumber")
    assert str(error) == "column 'a\\x1b[2J\\x9b\\u202e\\ud800' is\nno\tnumber"
    assert printable("Größe 数 🙂") == "Größe 数 🙂"


def test_a_value_is_shown_on_one_short_line():
    class Odd:
        def __repr__(self):
            raise RuntimeError

    assert shown("a\nb") == r"'a\nb'"
    assert shown(Odd()) == "a Odd"
    assert len(shown("x" * 1000)) == 80


@pytest.mark.parametrize(("raised", "kinds"), [(TypeError("no"), (TypeError, ValueError)), (KeyError("no"), (ValueError,))])
def test_errors_of_other_libraries_are_reported_as_ours(raised, kinds):
    with pytest.raises(BadInput, match="the tree cannot be grown") as refused, reported_as_ours("the tree cannot be grown"):
        raise raised
    assert isinstance(refused.value, kinds)
    assert refused.value.__cause__ is raised


@pytest.mark.parametrize(("code", "said"), [(None, "sys.exit()"), (0, "sys.exit(0)"), ("no rows", "sys.exit('no rows')")])
def test_code_of_others_that_ends_the_program_is_an_error_of_ours(code, said):
    for block in (reported_as_ours("the function failed"), without_exit("the function")):
        with pytest.raises(BadInput) as refused, block:
            raise SystemExit(code)
        assert "the function failed (its code called " + said + ", which ends a program)" in str(refused.value)
    assert said in one_line(SystemExit(code))
    for other in (KeyError("no"), KeyboardInterrupt()):
        with pytest.raises(type(other)), without_exit("the function"):
            raise other


def test_errors_of_ours_and_warnings_pass_through_as_they_are():
    for raised in (ShapeError("ours"), UserWarning("a warning raised as an error")):
        with pytest.raises(type(raised)) as passed, reported_as_ours("x"):
            raise raised
        assert passed.value is raised
