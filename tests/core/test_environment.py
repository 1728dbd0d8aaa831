import platform

from tutelage.core.environment import environment


def test_environment_reports_installed_packages_only():
    found = environment("numpy", "no-such-package")
    assert found["python"] == platform.python_version()
    assert set(found) == {"date", "python", "machine", "numpy"}
    assert platform.node() not in found.values()
