"""A verdict between two equal arms is false in at most 5 % of runs, from two seeds on; in full in benchmarks/verdicts.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

REPEATS = 1000
MOST = 5.5 + 3 * 100 * (0.05 * 0.95 / REPEATS) ** 0.5  # three standard errors above the bound that 10 000 repeats are held to


@pytest.fixture(scope="module")
def simulation():
    path = Path(__file__).parents[2] / "benchmarks" / "verdicts.py"
    spec = importlib.util.spec_from_file_location("simulated_verdicts", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.exhaustive
def test_false_verdicts_are_rare_at_every_number_of_seeds(simulation):
    found = list(simulation.cells(REPEATS, seeds=(2, 3, 5), rows=80, power=False))
    assert len(found) == 18
    for cell in found:
        assert max(cell.false.values()) <= MOST, cell
    assert max(max(cell.false.values()) for cell in found) > 2, "the intervals are too wide everywhere"


def test_rare_large_losses_are_cautioned_wherever_they_mislead(simulation):
    false, cautioned, of_false = simulation.rare_losses(500, 200)
    assert false > 25
    assert min(cautioned, of_false) >= 95
