"""Lazy attributes: a name loads its module on first use. The names are listed once, in the module's stub file (.pyi)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader

from tutelage.core.errors import missing_extra


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a module whose names are those that its stub (.pyi) imports.

    Args:
        package: the package from which the stub's relative imports start.
        file: the module's `__file__`; the stub is in the same folder.

    Returns:
        The three values, in this order, for the module to assign. `__getattr__` raises MissingExtra, which names the extra
        to install, if a name needs a package that is not installed.
    """
    load, names, public = lazy_loader.attach_stub(package, file)

    def load_or_name_extra(name: str) -> Any:
        try:
            return load(name)
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error

    return load_or_name_extra, names, public
