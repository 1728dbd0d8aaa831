"""Whole runs as values: data in, a measured record out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tutelage.core.errors import BadInput, did_you_mean, require_extras

if TYPE_CHECKING:
    from tutelage.experiments.recipe import Recipe

RECIPES = {
    "moons": ("demo.moons", ("torch", "onnx")),
    "mnist": ("demo.mnist", ("torch", "onnx")),
    "friedman": ("demo.friedman", ("onnx",)),
    "tiny": ("tiny.tiny", ("torch", "onnx")),
    "tiny-fashion": ("tiny.tiny_fashion", ("torch", "onnx")),
}
"""The module of each recipe, which has a value RECIPE and loads when it is run, and the extras that it needs."""


def recipe_named(name: str, *, further: tuple[str, ...] = ()) -> Recipe:
    """The recipe of this name.

    Args:
        name: one of `RECIPES`.
        further: extras that the caller needs besides, so that all that is missing is told at once.

    Raises:
        BadInput: there is none; the message offers the closest. MissingExtra: it needs packages that are not installed.
    """
    if name not in RECIPES:
        raise BadInput(f"no recipe named {name!r}; there are {', '.join(RECIPES)}.{did_you_mean(name, RECIPES)}")
    module, extras = RECIPES[name]
    require_extras((*extras, *further))
    recipe: Recipe = importlib.import_module(f"tutelage.experiments.{module}").RECIPE
    return recipe
