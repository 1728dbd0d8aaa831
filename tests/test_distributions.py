"""What a release ships: the package and nothing else in the wheel, and no data set in either archive."""

import email
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import pytest

import tutelage

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from hatchling import build; build.build_wheel(sys.argv[1]); build.build_sdist(sys.argv[1])"
MOST_BYTES = 2_500_000
DATA_SUFFIXES = {".gz", ".npy", ".npz", ".parquet", ".csv", ".zip", ".safetensors", ".skops", ".onnx"}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution, built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True, capture_output=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def names_in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def names_in_sdist(sdist: Path) -> set[str]:
    """The paths below the one folder of the archive."""
    with tarfile.open(sdist) as archive:
        return {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in archive.getnames()}


def test_the_wheel_holds_the_package_and_nothing_else(archives):
    sources = ROOT / "src"
    package = {path.relative_to(sources).as_posix() for path in (sources / "tutelage").rglob("*") if path.is_file()}
    shipped = {name for name in names_in_wheel(archives[0]) if ".dist-info/" not in name}
    assert shipped == {name for name in package if "__pycache__" not in name}
    assert {"tutelage/py.typed", "tutelage/report/page.html.j2"} <= shipped


@pytest.mark.parametrize(("which", "names"), [(0, names_in_wheel), (1, names_in_sdist)], ids=["wheel", "sdist"])
def test_neither_archive_holds_a_data_set(which, names, archives):
    inside = names(archives[which])
    assert archives[which].stat().st_size < MOST_BYTES
    assert "src/tutelage/data/datasets.py" in inside or "tutelage/data/datasets.py" in inside
    assert [name for name in inside if Path(name).suffix in DATA_SUFFIXES or name.startswith("datasets/")] == []


def test_the_metadata_name_the_version_and_the_mit_licence_alone(archives):
    with zipfile.ZipFile(archives[0]) as archive:
        folder = f"tutelage-{tutelage.__version__}.dist-info"
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        licence = archive.read(f"{folder}/licenses/LICENSE").decode()
    assert metadata["Version"] == tutelage.__version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert licence.startswith("MIT License")
    assert {line.split(",")[0] for line in metadata.get_all("Project-URL")} == {
        "Homepage",
        "Repository",
        "Documentation",
        "Changelog",
        "Issues",
    }


def test_the_extras_of_the_readme_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.findall(r'pip install "\.\[([\w,]+)\]"', (ROOT / "README.md").read_text(encoding="utf-8"))
    assert named
    assert {extra for line in named for extra in line.split(",")} <= extras.keys()
