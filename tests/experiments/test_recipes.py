import os
from pathlib import Path

import pytest

from tutelage.core import errors
from tutelage.core.errors import BadInput, MissingExtra
from tutelage.experiments import RECIPES, recipe_named


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_names_itself_a_student_to_ship_and_ten_thousand_rows_to_check_it_on(name):
    recipe = recipe_named(name)
    assert recipe.name == name
    assert recipe.quick_seeds >= 2
    folder = os.environ.get("TUTELAGE_FASHION_MNIST") if recipe.takes_data else None
    if recipe.takes_data and folder is None:
        pytest.skip("the real files are not here")
    data = Path(folder) if folder else None
    rows, again = recipe.check_rows(1, data), recipe.check_rows(1, data)
    assert len(rows) == 10_000
    assert rows.dtype == "float32"
    assert (rows == again).all()


def test_an_unknown_recipe_offers_the_closest():
    with pytest.raises(BadInput, match="Did you mean friedman"):
        recipe_named("freedman")
    with pytest.raises(BadInput) as caught:
        recipe_named("x")
    assert "Did you mean" not in str(caught.value)


def test_all_that_a_recipe_lacks_is_told_at_once_before_it_loads(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"tutelage\[torch,onnx,report\]"):
        recipe_named("moons", further=("report",))
    with pytest.raises(MissingExtra, match=r"tutelage\[onnx\]"):
        recipe_named("friedman")
