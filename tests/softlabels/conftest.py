import pytest
from recorded_rows import ROWS, Linear

from tutelage.softlabels.folder import LabelFolder
from tutelage.softlabels.recording import record


@pytest.fixture
def folder(tmp_path) -> LabelFolder:
    """A recording of three shards."""
    return record(Linear(), ROWS, tmp_path / "labels", shard_rows=10)
