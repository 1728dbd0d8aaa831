import re

import pytest

from tutelage.core import errors


def test_a_missing_package_names_the_extra_that_brings_it(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(errors.importlib, "import_module", absent)
    with pytest.raises(errors.MissingExtra, match=r'^onnxruntime is needed here and not installed: pip install "tutelage\[onnx\]"$'):
        errors.require("onnxruntime")


def test_what_a_module_itself_lacks_is_named(tmp_path, monkeypatch):
    (tmp_path / "skl2onnx.py").write_text("import absent_package")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "skl2onnx", raising=False)
    with pytest.raises(errors.MissingExtra, match="absent_package is needed here"):
        errors.require("skl2onnx")


def test_an_installed_module_is_returned():
    assert errors.require("json").loads("[1]") == [1]


def test_several_missing_extras_are_told_at_once(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in ("torch", "jinja2", "matplotlib") else object())
    with pytest.raises(errors.MissingExtra, match=r'torch, jinja2, matplotlib are needed .* pip install "tutelage\[torch,report\]"'):
        errors.require_extras(("torch", "onnx", "report"))


def test_the_tree_in_the_docstring_is_the_tree():
    for name in re.findall(r"── (\w+)", errors.__doc__):
        assert issubclass(getattr(errors, name), errors.TutelageError)
    drawn = set(re.findall(r"── (\w+)", errors.__doc__)) | {"TutelageError"}
    assert drawn == {name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__}
    assert issubclass(errors.MissingExtra, ImportError)
    assert issubclass(errors.ShapeError, ValueError)


def test_the_closest_name_is_offered_if_one_is_close():
    assert errors.did_you_mean("mnits", ["moons", "mnist"]) == " Did you mean mnist?"
    assert errors.did_you_mean("zzz", ["moons", "mnist"]) == ""


def test_a_foreign_error_is_told_on_one_short_line():
    assert errors.one_line(ValueError("first\n  second\nStack trace:\n third")) == "first second"
    assert errors.one_line(KeyError()) == "KeyError"
    assert len(errors.one_line(ValueError("x" * 900))) == 200
