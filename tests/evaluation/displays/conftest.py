"""Displays draw into memory, and every test closes the figures that it opens."""

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def drawn_in_memory():
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    yield
    plt.close("all")
