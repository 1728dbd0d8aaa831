"""Whole runs as values: data in, a measured record out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tutelage.core.errors import BadInput, did_you_mean, require_extras

if TYPE_CHECKING:
    from tutelage.recipes.recipe import Recipe

RECIPES = {
    "moons": ("torch", "onnx"),
    "mnist": ("torch", "onnx"),
    "friedman": ("onnx",),
    "tiny": ("torch", "onnx"),
    "tiny-fashion": ("torch", "onnx"),
}
"""The extras behind each recipe: a module of this folder with a value RECIPE, which loads when asked for."""


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
    require_extras((*RECIPES[name], *further))
    recipe: Recipe = importlib.import_module(f"tutelage.recipes.{name.replace('-', '_')}").RECIPE
    return recipe
