"""The public names, as the stub files list them; needs nothing but tutelage."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACES = (
    "tutelage",
    "tutelage.losses",
    "tutelage.losses.functional",
    "tutelage.transfer",
    "tutelage.metrics",
    "tutelage.displays",
    "tutelage.teachers",
    "tutelage.training",
    "tutelage.serving",
)


@dataclass(frozen=True)
class PublicName:
    """One name in one namespace.

    Attributes:
        namespace: such as "tutelage.losses".
        name: such as "hint".
        module: the module that the stub takes it from, relative to the stub, such as "hidden_terms".
    """

    namespace: str
    name: str
    module: str

    @property
    def path(self) -> str:
        """As a user imports it."""
        return f"{self.namespace}.{self.name}"

    @property
    def value(self) -> Any:
        """The object."""
        return getattr(importlib.import_module(self.namespace), self.name)


def public_names() -> list[PublicName]:
    """Every name that a stub lists, in order; namespaces inside namespaces are left out."""
    return [PublicName(namespace, name, module) for namespace in NAMESPACES for module, name in _listed(namespace)]


def _listed(namespace: str) -> Iterator[tuple[str, str]]:
    stub = Path(str(importlib.import_module(namespace).__file__) + "i")
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from ((node.module, alias.name) for alias in node.names)


def pages_of(names: list[PublicName]) -> dict[str, str]:
    """The path of each name and the path under which its object is documented: its own, or the first that is the same object."""
    first: dict[int, str] = {}
    return {name.path: first.setdefault(id(name.value), name.path) for name in names}
