"""The tables of contents: every name is reachable, documented and never hidden by a module, and `import tutelage` stays light."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tutelage

NAMESPACES = ("", "losses", "losses.functional", "transfer", "metrics", "displays", "teachers", "training", "serving")


def listed(namespace: str) -> dict[str, str]:
    """Each name of a namespace and the module that the stub takes it from; submodules are left out."""
    module = importlib.import_module(f"tutelage.{namespace}".rstrip("."))
    package = "tutelage" if not hasattr(module, "__path__") else module.__name__
    stub = ast.parse(Path(str(module.__file__) + "i").read_text(encoding="utf-8"))
    imports = [node for node in stub.body if isinstance(node, ast.ImportFrom) and node.module is not None]
    return {alias.name: f"{package}.{node.module}" for node in imports for alias in node.names}


PUBLIC = [(namespace, name) for namespace in NAMESPACES for name in listed(namespace)]


def test_import_loads_nothing_optional_and_no_heavy_package():
    heavy = ("torch", "onnx", "onnxruntime", "matplotlib", "jinja2", "sklearn", "scipy", "skl2onnx", "pyarrow", "pandas", "lightgbm")
    code = f"import sys, tutelage; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_the_documented_object_after_every_module_was_imported():
    for found in pkgutil.walk_packages(tutelage.__path__, "tutelage."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for namespace, name in PUBLIC:
        module = importlib.import_module(f"tutelage.{namespace}".rstrip("."))
        documented = getattr(importlib.import_module(listed(namespace)[name]), name)
        assert getattr(module, name) is documented, f"{namespace}.{name} is hidden"
        assert name in dir(module)
        assert name in module.__all__


@pytest.mark.parametrize(("namespace", "name"), PUBLIC)
def test_every_public_name_is_documented_with_an_example(namespace, name):
    found = getattr(importlib.import_module(listed(namespace)[name]), name)
    assert len(found.__doc__) > 40
    other = re.search(r"Example: see `(\w+)`", found.__doc__)
    shown = found if other is None else getattr(tutelage, other[1])
    assert ">>> " in shown.__doc__, f"{name} has no example"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="SoftTee"):
        _ = tutelage.SoftTee


def test_a_name_whose_package_is_missing_names_the_extra():
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import tutelage\n"
        "try:\n    tutelage.TorchStudent\n"
        "except tutelage.TutelageError as error:\n    print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "tutelage[torch]"' in found.stdout


def test_the_public_list_is_this():
    assert sorted(tutelage.__all__) == sorted(
        [
            "AnswerForm",
            "Cascade",
            "Column",
            "Distillation",
            "DistilledClassifier",
            "DistilledRegressor",
            "Evaluation",
            "Interval",
            "Limits",
            "Local",
            "Parts",
            "PerLabel",
            "Plan",
            "Ray",
            "Schema",
            "SoftBoosting",
            "SoftDecisionTree",
            "SoftForest",
            "PositionAnswers",
            "SoftLabels",
            "StructuredRows",
            "TopAnswers",
            "SoftLogistic",
            "SoftMLP",
            "SoftTargets",
            "SoftTree",
            "Teacher",
            "TorchClassifier",
            "TorchRegressor",
            "TorchStudent",
            "TutelageError",
            "as_teacher",
            "check_teacher",
            "compare",
            "displays",
            "distill",
            "ensemble",
            "evaluate",
            "export",
            "load_fashion_mnist",
            "load_mnist",
            "load_student",
            "load_weights",
            "losses",
            "match_teacher_marginals",
            "metrics",
            "open_labels",
            "open_teacher",
            "paired_difference",
            "plan",
            "parts",
            "preflight",
            "read_answers",
            "record",
            "relabelled",
            "save_student",
            "serving",
            "soften",
            "sweep",
            "teachers",
            "temper",
            "training",
            "transfer",
            "transfer_curve",
            "untemper",
        ]
    )


def test_pages_count_the_losses_that_there_are():
    root = Path(__file__).parents[1]
    stub = (Path(tutelage.__file__).parent / "losses" / "__init__.pyi").read_text(encoding="utf-8")
    terms = re.findall(r"^from \.\w+_terms import", stub, re.MULTILINE)
    for page, what in {"README.md": "losses", "docs/index.md": "objectives", "docs/getting-started.md": "objectives"}.items():
        assert re.findall(rf"(\d+) {what}", (root / page).read_text(encoding="utf-8")) == [str(len(terms))], page
