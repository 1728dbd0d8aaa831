import click
import pytest

from tutelage.cli.options import as_options, class_weights, network_option
from tutelage.core.errors import BadInput


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), None),
        (("balanced",), "balanced"),
        (("fraud=10,ok=1",), {"fraud": 10.0, "ok": 1.0}),
        (("fraud=10", "ok=0.5"), {"fraud": 10.0, "ok": 0.5}),
        (("a, b=2,c=1e2",), {"a, b": 2.0, "c": 100.0}),
        (("a=b=2",), {"a=b": 2.0}),
        (("1=5, 0 = .5",), {"1": 5.0, "0": 0.5}),
        (("fraud=-1",), {"fraud": -1.0}),
    ],
)
def test_weights_of_classes_are_parsed(given, found):
    assert class_weights(given) == found


@pytest.mark.parametrize("given", [("even",), ("fraud",), ("fraud=",), ("fraud=many",), ("=3",), ("a=1.2.3",)])
def test_other_texts_are_refused(given):
    with pytest.raises(click.BadParameter, match=r"write CLASS=WEIGHT, for example fraud=10,ok=1"):
        class_weights(given)


@pytest.mark.parametrize("given", [("balanced", "a=1"), ("a=1", " balanced"), ("balanced", "balanced")])
def test_balanced_stands_alone(given):
    with pytest.raises(click.BadParameter, match=r"balanced stands alone; write either balanced or CLASS=WEIGHT"):
        class_weights(given)


def test_arguments_in_messages_become_options():
    assert as_options("pass class_weight='balanced'") == "pass --class-weight 'balanced'"
    assert as_options("cannot be sent, or leave on= out.") == "cannot be sent, or leave --on out."


def test_a_network_is_named_as_for_distill(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "builders_by_name.py").write_text(
        "from torch import nn\n\nimport tutelage as tl\n\nbuild = nn.Identity\npair = (build, {})\nestimator = tl.TorchClassifier(build)\n"
    )
    command = click.command()(network_option(lambda network: network))
    for name in ("build", "pair", "estimator"):
        assert command.main(["--network", f"builders_by_name:{name}"], standalone_mode=False).__name__ == "Identity"
    assert command.main([], standalone_mode=False) is None
    with pytest.raises(BadInput, match=r"has no 'builds'.*Did you mean build"):
        command.main(["--network", "builders_by_name:builds"], standalone_mode=False)
