"""tiny-fashion: `tiny` on Fashion-MNIST, from a folder that the user names, or downloaded from its public mirror."""

from __future__ import annotations

from tutelage.data.datasets import load_fashion_mnist
from tutelage.data.views import Affine
from tutelage.experiments.tiny.tiny import Size, Subject, recipe_of

CLOTHES = Subject(
    name="tiny-fashion",
    title="Eight thousand weights on pictures of clothes",
    summary="The networks and the budget of the recipe tiny on Fashion-MNIST, with and without a teacher.",
    load=load_fashion_mnist,
    augment=Affine(shape=(28, 28), mirrored=True),  # 428 errors on 5 000 validation rows; with rotation, zoom and shift 452
    full=Size(views=4),
    dense=False,  # evaluated densely, the same students make 564 and 484
    takes_data=True,
)
RECIPE = recipe_of(CLOTHES)
