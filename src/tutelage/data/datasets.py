"""Data sets: two that scikit-learn makes, one that is embedded, one that is fetched - each checked before use."""

from __future__ import annotations

import gzip
import hashlib
import urllib.request
import zlib
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import DamagedFile
from tutelage.core.files import whole_file

# SHA-256 of the *unpacked* IDX files, so that a repacked but identical copy passes.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FASHION_MNIST_MIRROR = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
IDX_HEADER_BYTES = {"images": 16, "labels": 8}


@dataclass(frozen=True)
class Images:
    """Pictures with one label each, as the files hold them.

    Attributes:
        train_images: (rows, 784) uint8, 0 (paper) to 255 (ink), row by row of a 28 x 28 picture.
        train_labels: (rows,) int64.
        test_images, test_labels: the same for the test rows.
        classes: the name of each label.
        attribution: who made the data, and its licence.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    attribution: str


def load_mnist() -> Images:
    """MNIST, from the four files inside this package: no network.

    Raises:
        DamagedFile: a file is not what its SHA-256 says.

    Source:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
    """
    with as_file(files("tutelage.data") / "mnist") as folder:
        return _images(
            "MNIST",
            folder,
            MNIST_SHA256,
            classes=tuple("0123456789"),
            attribution="Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, CC BY-SA 3.0",
            remedy="Install tutelage again",
        )


def load_fashion_mnist(folder: str | Path | None = None, *, cache: Path | None = None) -> Images:
    """Fashion-MNIST, from a folder that holds its four .gz files, else from its public mirror.

    Args:
        folder: where the files lie. Without one they are fetched once into `cache`.
        cache: where fetched files are kept; the user's cache directory by default.

    Raises:
        DamagedFile: a file is missing, or not what its SHA-256 says, or could not be fetched.

    Source:
        Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747; MIT licence.
    """
    where = Path(folder) if folder is not None else _fetched(FASHION_MNIST_MIRROR, FASHION_MNIST_SHA256, cache)
    return _images(
        "Fashion-MNIST",
        where,
        FASHION_MNIST_SHA256,
        classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
        attribution="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv 1708.07747, MIT licence",
        remedy=f"Get the four files again from {FASHION_MNIST_MIRROR}",
    )


def _images(name: str, folder: Path, sha256: dict[str, str], *, classes: tuple[str, ...], attribution: str, remedy: str) -> Images:
    parts = {stem: _idx(folder / f"{stem}.gz", expected, remedy) for stem, expected in sha256.items()}
    return Images(
        name=name,
        train_images=parts["train-images-idx3-ubyte"].reshape(-1, 784),
        train_labels=parts["train-labels-idx1-ubyte"].astype(np.int64),
        test_images=parts["t10k-images-idx3-ubyte"].reshape(-1, 784),
        test_labels=parts["t10k-labels-idx1-ubyte"].astype(np.int64),
        classes=classes,
        attribution=attribution,
    )


def _idx(path: Path, expected: str, remedy: str) -> NDArray[np.uint8]:
    """The values of one gzipped IDX file whose unpacked bytes have this SHA-256."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise DamagedFile(f"{path} cannot be read ({error.strerror}). {remedy}.") from error
    unpacked = _unpacked(packed, str(path), expected, remedy)
    return np.frombuffer(unpacked, dtype=np.uint8)[IDX_HEADER_BYTES[path.name.split("-")[1]] :]


def _unpacked(packed: bytes, where: str, expected: str, remedy: str) -> bytes:
    """The bytes of a gzip file, after proving that they are the expected ones."""
    try:
        unpacked = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedFile(f"{where} is damaged ({error}). {remedy}.") from error
    found = hashlib.sha256(unpacked).hexdigest()
    if found != expected:
        raise DamagedFile(f"{where} is damaged or another file: SHA-256 {found[:12]}..., expected {expected[:12]}.... {remedy}.")
    return unpacked


def _fetched(mirror: str, sha256: dict[str, str], cache: Path | None) -> Path:
    """A folder that holds the mirror's files, fetched and checked unless they are there already."""
    if cache is None:
        import platformdirs

        cache = Path(platformdirs.user_cache_dir("tutelage"))
    folder = cache / "fashion-mnist"
    remedy = "Put the four files in a folder and name that folder"
    for stem, expected in sha256.items():
        target = folder / f"{stem}.gz"
        if target.exists():
            continue
        address = mirror + target.name
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:
                packed = answer.read()
        except OSError as error:
            raise DamagedFile(f"{address} could not be fetched ({error}). {remedy}.") from error
        _unpacked(packed, address, expected, remedy)
        with whole_file(target) as draft:
            draft.write_bytes(packed)
    return folder
