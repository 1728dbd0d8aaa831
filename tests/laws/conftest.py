"""What the laws share."""

from collections.abc import Iterator

import malformed
import pytest


@pytest.fixture
def enough_come_through() -> Iterator[None]:
    """Prove that a test of malformed cases sees both: some that are refused, and some whose result it looks at."""
    malformed.REACHED.clear()
    yield
    if malformed.REACHED.total() >= malformed.most_cases():  # otherwise the test has failed already
        assert min(malformed.REACHED[end] for end in ("refused", "came through")) >= 5, malformed.REACHED
