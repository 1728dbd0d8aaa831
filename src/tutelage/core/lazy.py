"""Names that load their module when they are first used, listed once: in the stub file beside the module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader

from tutelage.core.errors import missing_extra


def attach(package: str, file: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a module whose names are those that its stub (.pyi) imports.

    Args:
        package: the package that the stub's relative imports start from.
        file: the module's `__file__`; the stub lies beside it.

    Returns:
        What the module assigns. `__getattr__` raises MissingExtra, which names the extra to install, where a name needs a
        package that is not there.
    """
    load, names, public = lazy_loader.attach_stub(package, file)

    def load_or_say_what_is_missing(name: str) -> Any:
        try:
            return load(name)
        except ModuleNotFoundError as error:
            raise missing_extra(error) from error

    return load_or_say_what_is_missing, names, public
