"""Digits and a sound teacher of them, made once."""

import pytest
from sound_teachers import made


@pytest.fixture(scope="session")
def digits():
    return made()
