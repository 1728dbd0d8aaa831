"""The table of contents: every name is reachable and documented, and `import tutelage` stays light."""

import subprocess
import sys

import pytest

import tutelage


def test_import_loads_nothing_optional_and_no_heavy_package():
    heavy = ("torch", "onnx", "onnxruntime", "matplotlib", "jinja2", "sklearn", "scipy", "skl2onnx", "pyarrow", "pandas", "lightgbm")
    code = f"import sys, tutelage; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name in tutelage.__all__ if name != "__version__"])
def test_every_public_name_is_reachable_and_documented(name):
    assert len(getattr(tutelage, name).__doc__) > 40
    assert name in dir(tutelage)


def test_the_public_list_is_this():
    assert sorted(tutelage.__all__) == [
        "Accelerated",
        "Affine",
        "AgreementDisplay",
        "DistilledClassifier",
        "DistilledRegressor",
        "FidelityDisplay",
        "Jitter",
        "Mixup",
        "Munge",
        "Objective",
        "PerLabel",
        "ReliabilityDisplay",
        "Signals",
        "SoftBoosting",
        "SoftForest",
        "SoftLabels",
        "SoftLogistic",
        "SoftMLP",
        "SoftTargets",
        "SoftTree",
        "Term",
        "TorchStudent",
        "TutelageError",
        "UniformNoise",
        "UnlabelledPool",
        "Views",
        "__version__",
        "as_teacher",
        "attention_transfer",
        "check_teacher",
        "compare",
        "contrastive",
        "decoupled",
        "dist",
        "ensemble",
        "evaluate",
        "export_onnx",
        "gaussian",
        "hard_bernoulli",
        "hard_cross_entropy",
        "hint",
        "huber",
        "jensen_shannon",
        "kl_divergence",
        "load_fashion_mnist",
        "load_mnist",
        "load_student",
        "load_weights",
        "logit_matching",
        "one_cycle",
        "open_labels",
        "open_teacher",
        "paired_difference",
        "preflight",
        "probabilistic_transfer",
        "read_answers",
        "record",
        "relabelled",
        "relational_angle",
        "relational_distance",
        "reverse_kl",
        "save_student",
        "similarity_preserving",
        "soft_bernoulli",
        "soft_cross_entropy",
        "soften",
        "squared_error",
        "standardised_divergence",
        "sweep",
        "teacher_bounded",
        "temper",
        "transfer_curve",
        "untemper",
        "virtual_teacher",
        "weighted_soft_labels",
    ]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'teach'"):
        tutelage.teach  # noqa: B018
