"""The original demo, as published and with its mistakes corrected (moons and mnist), and a counterpart for regression (friedman)."""

ORIGINAL_DEMO = "tsitsimis/neural-network-distillation on GitHub (https://github.com/tsitsimis/neural-network-distillation)"
"""The demo that these experiments repeat: distillation in the style of Hinton, Vinyals and Dean on moons and MNIST."""
