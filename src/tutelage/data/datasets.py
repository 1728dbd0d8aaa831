"""MNIST and Fashion-MNIST, from a folder or fetched once from a public mirror; each file is checked against its SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import os
import urllib.request
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

import numpy as np
from numpy.typing import NDArray

from tutelage.core.arguments import path, text
from tutelage.core.errors import BadInput, DamagedFile, one_line
from tutelage.core.file_systems.whole_files import whole_file

# The `datasets` folder of a checkout, which no wheel contains; the attribution file tells it from a folder of another project.
CHECKOUT_DATASETS = Path(__file__).resolve().parent.parent.parent.parent / "datasets"
CHECKOUT_MARK = "ATTRIBUTION.md"
GZIP_MAGIC = b"\x1f\x8b"
IDX_HEADER_BYTES = {"images": 16, "labels": 8}
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Images:
    """Pictures with one label each, as the files hold them.

    Attributes:
        name: of the data set, as in "MNIST".
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


@dataclass(frozen=True)
class ImageFiles:
    """The four IDX files of one data set and the places where they may be found.

    Attributes:
        name, classes, attribution: as in `Images`.
        folder_name: of its folder in the cache and in a checkout.
        variable: the environment variable that may name a folder with the files.
        mirrors: addresses of folders, tried in this order.
        sha256: of each *unpacked* file by its name without .gz, so that a repacked but identical copy passes.
    """

    name: str
    folder_name: str
    variable: str
    mirrors: tuple[str, ...]
    sha256: Mapping[str, str]
    classes: tuple[str, ...]
    attribution: str

    def load(self, folder: str | Path | None, *, cache: str | Path | None, mirror: str | None) -> Images:
        """Read the files from a folder if there is one, otherwise from the cache, after fetching what it lacks."""
        place = self._folder(folder)
        if place is None:
            cached, mirrors = _cache(cache) / self.folder_name, self._mirrors(mirror)
            parts = {stem: self._from_cache(stem, cached, mirrors) for stem in self.sha256}
        else:
            parts = {stem: self._from_folder(stem, *place) for stem in self.sha256}
        return Images(
            name=self.name,
            train_images=parts["train-images-idx3-ubyte"].reshape(-1, 784),
            train_labels=parts["train-labels-idx1-ubyte"].astype(np.int64),
            test_images=parts["t10k-images-idx3-ubyte"].reshape(-1, 784),
            test_labels=parts["t10k-labels-idx1-ubyte"].astype(np.int64),
            classes=self.classes,
            attribution=self.attribution,
        )

    def _folder(self, folder: str | Path | None) -> tuple[Path, str] | None:
        """The folder to read, with what to do if its files are not sound; None if they are to be fetched."""
        if folder is not None:
            return path("folder", folder), f"Download the four files of {self.name} again from {self.mirrors[0]}"
        if named := os.environ.get(self.variable):
            return Path(named), f"{self.variable} names this folder: put the four files of {self.name} there, or unset the variable"
        checkout = CHECKOUT_DATASETS / self.folder_name
        if (checkout / CHECKOUT_MARK).is_file():
            return checkout, f"Restore the files of this checkout: git restore datasets/{self.folder_name}"
        return None

    def _mirrors(self, mirror: str | None) -> tuple[str, ...]:
        if mirror is None:
            return self.mirrors
        if not text("mirror", mirror).startswith(("http://", "https://")):
            raise BadInput(f"{mirror!r} is not the address of a mirror; expected http:// or https://. Pass a local folder as `folder`.")
        return (mirror,)

    def _from_folder(self, stem: str, folder: Path, remedy: str) -> NDArray[np.uint8]:
        path = folder / f"{stem}.gz"
        try:
            path = path if path.exists() else folder / stem
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise DamagedFile(f"{folder} holds neither {stem}.gz nor {stem}. {remedy}.") from error
        except OSError as error:
            raise DamagedFile(f"{path} cannot be read ({error.strerror}). {remedy}.") from error
        try:
            return _values(stem, content, self.sha256[stem])
        except ValueError as error:
            raise DamagedFile(f"{path} is damaged or another file: {error}. {remedy}.") from error

    def _from_cache(self, stem: str, folder: Path, mirrors: tuple[str, ...]) -> NDArray[np.uint8]:
        """The values of one file; one that is missing or damaged in the cache is fetched, checked and saved."""
        cached = folder / f"{stem}.gz"
        with suppress(OSError, ValueError):
            return _values(stem, cached.read_bytes(), self.sha256[stem])
        content, values = self._fetched(stem, mirrors)
        with whole_file(cached) as draft:
            draft.write_bytes(content)
        return values

    def _fetched(self, stem: str, mirrors: tuple[str, ...]) -> tuple[bytes, NDArray[np.uint8]]:
        """One file and its values, from the first mirror that sends the expected one."""
        failures = []
        for mirror in mirrors:
            address = f"{mirror.rstrip('/')}/{stem}.gz"
            try:
                content = _download(address)
                return content, _values(stem, content, self.sha256[stem])
            except (OSError, HTTPException, ValueError) as error:
                failures.append(f"{address}: {one_line(error)}")
        raise DamagedFile(
            f"{self.name} could not be fetched ({'; '.join(failures)}). Try again with a network, or put its four files in a folder "
            f"and name that folder: pass it as `folder`, or set {self.variable}."
        )


def _cache(cache: str | Path | None) -> Path:
    if cache is not None:
        return path("cache", cache)
    import platformdirs

    return Path(platformdirs.user_cache_dir("tutelage"))


def _download(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        error.close()
        raise
    except URLError as error:
        raise OSError(str(error.reason)) from error


def _values(stem: str, content: bytes, expected: str) -> NDArray[np.uint8]:
    """The values of an IDX file, gzipped or plain; a ValueError says why it is not the expected one."""
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"it cannot be unpacked ({one_line(error)})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ValueError(f"its SHA-256 is {found[:12]}..., expected {expected[:12]}...")
    return np.frombuffer(content, dtype=np.uint8)[IDX_HEADER_BYTES[stem.split("-")[1]] :]


MNIST = ImageFiles(
    name="MNIST",
    folder_name="mnist",
    variable="TUTELAGE_MNIST",
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    classes=tuple("0123456789"),
    attribution="Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, CC BY-SA 3.0",
)
FASHION_MNIST = ImageFiles(
    name="Fashion-MNIST",
    folder_name="fashion-mnist",
    variable="TUTELAGE_FASHION_MNIST",
    mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
    sha256={
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"),
    attribution="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST, arXiv 1708.07747, MIT licence",
)


def load_mnist(folder: str | Path | None = None, *, cache: str | Path | None = None, mirror: str | None = None) -> Images:
    """MNIST: 60 000 training and 10 000 test pictures of handwritten digits.

    The files are read from the first of these places: `folder`; the folder that the environment variable TUTELAGE_MNIST
    names; the repository, where tutelage runs from a checkout; the cache, after one download from a public mirror. Only
    the download needs a network.

    Args:
        folder: a folder with the four files, gzipped or plain.
        cache: a folder for downloaded files; the user's cache directory by default.
        mirror: the http or https address of a folder to download from, in place of the public mirrors.

    Raises:
        DamagedFile: a file is missing, is not what its SHA-256 says, or cannot be downloaded.
        BadInput: `mirror` is no http or https address.
        CannotWrite: the cache cannot be written.

    Example:
        >>> import tutelage as tl
        >>> images = tl.load_mnist()
        >>> images.train_images.shape, images.test_labels.shape
        ((60000, 784), (10000,))

    Source:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
    """
    return MNIST.load(folder, cache=cache, mirror=mirror)


def load_fashion_mnist(folder: str | Path | None = None, *, cache: str | Path | None = None, mirror: str | None = None) -> Images:
    """Fashion-MNIST: 60 000 training and 10 000 test pictures of clothes, in the format of MNIST.

    The files are read from the first of these places: `folder`; the folder that the environment variable
    TUTELAGE_FASHION_MNIST names; the cache, after one download from a public mirror. Only the download needs a network.

    Args:
        folder: a folder with the four files, gzipped or plain.
        cache: a folder for downloaded files; the user's cache directory by default.
        mirror: the http or https address of a folder to download from, in place of the public mirror.

    Raises:
        DamagedFile: a file is missing, is not what its SHA-256 says, or cannot be downloaded.
        BadInput: `mirror` is no http or https address.
        CannotWrite: the cache cannot be written.

    Example:
        >>> import tutelage as tl
        >>> images = tl.load_fashion_mnist("fashion-mnist/")  # doctest: +SKIP
        >>> images.classes[:3]  # doctest: +SKIP
        ('T-shirt', 'trouser', 'pullover')

    Source:
        Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747; MIT licence.
    """
    return FASHION_MNIST.load(folder, cache=cache, mirror=mirror)
