"""What the manifest says, collected shard by shard in their order."""

from __future__ import annotations

from concurrent.futures import Future

from tutelage.core.errors import CannotWrite
from tutelage.core.file_systems.paths import AnyPath
from tutelage.core.running.stages import Advance
from tutelage.data.row_names import Names, RunningName
from tutelage.softlabels.encoding import EncodingCost
from tutelage.softlabels.folder import LabelFolder, gone_shards, write_manifest
from tutelage.softlabels.shards import MANIFEST, Provenance, Shard


class Tally:
    """Collects the content of the manifest. At most one shard is being written at a time."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.names = RunningName()
        self.cost = EncodingCost()
        self.sha256: list[str] = []
        self.waiting: Future[tuple[Shard, str]] | None = None

    def flush(self) -> None:
        """Wait for the shard that is being written, and add it."""
        if self.waiting is not None:
            shard, sha256 = self.waiting.result()
            self.add(shard.names, shard.cost, sha256)
            self.waiting = None

    def add(self, names: Names, cost: EncodingCost, sha256: str) -> None:
        """Add a complete shard: the names of its rows, the loss of the encoding, and the hash of its file."""
        self.names.add(names)
        self.cost += cost
        self.sha256.append(sha256)
        self.advance()

    def finished(self, folder: AnyPath, provenance: Provenance) -> LabelFolder:
        """Write the manifest of a folder whose shards were all added.

        Raises:
            CannotWrite: it cannot be written, or a shard was removed meanwhile.
        """
        finished = LabelFolder(folder, provenance, self.names.value, tuple(self.sha256), self.cost)
        write_manifest(finished)
        gone = next(gone_shards(folder, provenance), None)
        if gone is not None:
            (folder / MANIFEST).unlink(missing_ok=True)
            raise CannotWrite(f"{gone} was removed while the answers were recorded into {folder}. Record again.")
        return finished
