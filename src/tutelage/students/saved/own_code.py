"""Students with a network of the user's own code, of which a file holds the weights alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar


class OtherCode(UserWarning):
    """A network has the layers and weights of the one that was saved, but other code."""

    REMEDY: ClassVar[str] = "Check its answers, and save it again."


class OwnCode:
    """A student that may be read from a file without the code of its network."""

    @property
    def needs_code(self) -> bool:
        """Whether it was read from a file whose network is of the user's own code, and has none yet."""
        raise NotImplementedError

    def fill(self, path: Path, module: Any) -> None:
        """Build the network of a file that holds weights alone.

        Args:
            path: of the file.
            module: the function that builds the network, or the network; None is refused.

        Raises:
            BadInput: it builds another network than the one that was saved. DamagedFile: not such a file.

        Warns:
            OtherCode: its code has changed.
        """
        raise NotImplementedError
