import platform

from tutelage.core.environment import environment


def test_versions_are_told_of_what_is_installed_and_of_nothing_else():
    found = environment("numpy", "no-such-package")
    assert found["python"] == platform.python_version()
    assert set(found) == {"date", "python", "machine", "numpy"}
    assert platform.node() not in found.values()
