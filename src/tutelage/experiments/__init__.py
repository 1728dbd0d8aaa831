"""Whole experiments as values: data in, a measured record out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tutelage.core.errors import BadInput, did_you_mean, require_extras

if TYPE_CHECKING:
    from tutelage.experiments.papers.paper import Paper
    from tutelage.experiments.recipe import Recipe

RECIPES = {
    "moons": ("demo.moons", ("torch", "onnx")),
    "mnist": ("demo.mnist", ("torch", "onnx")),
    "friedman": ("demo.friedman", ("onnx",)),
    "tiny": ("tiny.tiny", ("torch", "onnx")),
    "tiny-fashion": ("tiny.tiny_fashion", ("torch", "onnx")),
}
"""For each recipe, its module, which defines RECIPE and is imported when the recipe is run, and the extras that it needs."""
PAPERS = {
    "controls": ("papers.controls", ("torch",)),
    "hinton2015": ("papers.hinton.digits", ("torch",)),
    "hinton2015-temperature": ("papers.hinton.temperature", ("torch",)),
    "hinton2015-ensemble": ("papers.hinton.ensemble", ("torch",)),
    "hinton2015-regulariser": ("papers.hinton.regulariser", ("torch",)),
    "hinton2015-specialists": ("papers.hinton.specialists", ("torch",)),
    "hinton2015-missing": ("papers.hinton.missing", ("torch",)),
    "frosst2017": ("papers.trees.soft_tree", ("torch",)),
    "mueller2019": ("papers.teachers.smoothing", ("torch",)),
    "stanton2021": ("papers.teachers.fidelity", ("torch",)),
    "cho2019": ("papers.teachers.capacity", ("torch",)),
    "mirzadeh2020": ("papers.teachers.assistants", ("torch",)),
    "zhang2018": ("papers.teachers.mutual", ("torch",)),
    "furlanello2018": ("papers.teachers.generations", ("torch",)),
    "beyer2022": ("papers.teachers.consistency", ("torch",)),
    "bucila2006": ("papers.rows.compression", ("torch",)),
    "unlabelled": ("papers.rows.unlabelled", ("torch",)),
    "losses": ("papers.objectives.ranking", ("torch",)),
    "menon2021": ("papers.theory.bayes_teacher", ()),
    "phuong2019": ("papers.theory.linear_student", ()),
}
"""For each paper's run, its module, which defines PAPER, and the extras that it needs."""


def recipe_named(name: str, *, further: tuple[str, ...] = ()) -> Recipe:
    """The recipe of this name.

    Args:
        name: one of `RECIPES`.
        further: extras that the caller also needs, so that one error reports everything that is missing.

    Raises:
        BadInput: there is no such recipe; the message suggests the closest name. MissingExtra: it needs packages that are
            not installed.
    """
    if name not in RECIPES:
        known = (*RECIPES, *PAPERS)
        raise BadInput(f"no experiment is named {name!r}; there are {', '.join(known)}.{did_you_mean(name, known)}")
    module, extras = RECIPES[name]
    require_extras((*extras, *further))
    recipe: Recipe = importlib.import_module(f"tutelage.experiments.{module}").RECIPE
    return recipe


def paper_named(name: str, *, further: tuple[str, ...] = ()) -> Paper:
    """The paper's run of this name.

    Args:
        name: one of `PAPERS`.
        further: as for `recipe_named`.

    Raises:
        MissingExtra: it needs packages that are not installed.
    """
    module, extras = PAPERS[name]
    require_extras((*extras, *further))
    paper: Paper = importlib.import_module(f"tutelage.experiments.{module}").PAPER
    return paper
