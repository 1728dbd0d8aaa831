import re

import pytest

from tutelage.core import errors


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
