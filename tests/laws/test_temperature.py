"""Laws of temperature: NumPy and torch agree, and softening can be undone."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tutelage.core.arrays import softmax
from tutelage.losses.targets import soften, temper, untemper

logits = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(-8, 8))
temperatures = st.floats(0.5, 20)


@given(logits, temperatures)
def test_softening_in_numpy_is_softening_in_torch(z, temperature):
    expected = torch.softmax(torch.tensor(z) / temperature, dim=1).numpy()
    np.testing.assert_allclose(soften(z, temperature), expected, rtol=1e-9, atol=1e-300)


@given(logits, temperatures)
def test_probabilities_serve_as_well_as_logits_at_any_temperature(z, temperature):
    np.testing.assert_allclose(temper(softmax(z), temperature), soften(z, temperature), rtol=1e-7, atol=1e-12)


@given(logits, temperatures)
def test_untemper_undoes_temper(z, temperature):
    p = softmax(z)
    np.testing.assert_allclose(untemper(temper(p, temperature), temperature), p, rtol=1e-5, atol=1e-9)


@given(logits)
def test_a_higher_temperature_never_lowers_the_entropy(z):
    def entropy(p):
        return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)

    assert (entropy(soften(z, 4.0)) >= entropy(soften(z, 1.0)) - 1e-9).all()
