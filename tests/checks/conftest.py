"""The digits data set with a sound teacher, created once per session; and plain models that are not fitted twice to the same rows."""

import copy
import hashlib
import pickle
from functools import wraps

import pytest
from sound_teachers import load_digits_with_teacher

from tutelage.checks import against_baselines, leaks_and_shift, memorised


@pytest.fixture(scope="session")
def digits():
    return load_digits_with_teacher()


def remembered(function, found):
    """The function, which depends on its arguments alone, called once for the same ones."""

    @wraps(function)
    def once(*given):
        key = function.__name__, hashlib.sha256(pickle.dumps(given)).digest()
        if key not in found:
            found[key] = function(*given)
        return copy.deepcopy(found[key])

    return once


@pytest.fixture(scope="session")
def _plain_models():
    found = {}
    return {
        (module, name): remembered(getattr(module, name), found)
        for module, names in (
            (against_baselines, ("predicted_labels", "predicted_values")),
            (memorised, ("imitated_values", "held_out_values")),
            (leaks_and_shift, ("second_set_probabilities",)),
        )
        for name in names
    }


@pytest.fixture(autouse=True)
def plain_models_fitted_once(request, monkeypatch, _plain_models):
    """Many teachers are compared with the plain models of the same rows. A test that is marked `fitted_anew` has its own."""
    if request.node.get_closest_marker("fitted_anew") is None:
        for (module, name), once in _plain_models.items():
            monkeypatch.setattr(module, name, once)
