"""The digits data set with a sound teacher, created once per session."""

import pytest
from sound_teachers import load_digits_with_teacher


@pytest.fixture(scope="session")
def digits():
    return load_digits_with_teacher()
