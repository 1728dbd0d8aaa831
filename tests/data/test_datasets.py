import gzip
import hashlib
import io
import os
import urllib.error
import urllib.request

import numpy as np
import pytest

from tutelage.core.errors import DamagedFile
from tutelage.data import datasets


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return gzip.compress(header + values.astype(np.uint8).tobytes())


@pytest.fixture
def tiny(monkeypatch) -> dict[str, bytes]:
    """Four small files in Fashion-MNIST's place, with their checksums."""
    rng = np.random.default_rng(0)
    shapes = {"train-images-idx3": (3, 28, 28), "train-labels-idx1": (3,), "t10k-images-idx3": (2, 28, 28), "t10k-labels-idx1": (2,)}
    packed = {f"{name}-ubyte": idx(rng.integers(0, 10, shape)) for name, shape in shapes.items()}
    sha256 = {name: hashlib.sha256(gzip.decompress(content)).hexdigest() for name, content in packed.items()}
    monkeypatch.setattr(datasets, "FASHION_MNIST_SHA256", sha256)
    return packed


def answering(packed: dict[str, bytes], asked: list[str]):
    def urlopen(address, timeout):
        asked.append(address)
        return io.BytesIO(packed[address.rsplit("/", 1)[1].removesuffix(".gz")])

    return urlopen


def test_mnist_is_embedded_whole():
    images = datasets.load_mnist()
    assert images.train_images.shape == (60_000, 784)
    assert images.test_images.shape == (10_000, 784)
    assert np.bincount(images.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(images.train_labels)[[0, 9]].tolist() == [5923, 5949]
    assert images.train_images.max() == 255
    assert "CC BY-SA 3.0" in images.attribution


def test_a_folder_is_read_and_nothing_fetched(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(urllib.request, "urlopen", answering({}, []))
    for name, content in tiny.items():
        (tmp_path / f"{name}.gz").write_bytes(content)
    images = datasets.load_fashion_mnist(tmp_path)
    assert images.train_images.shape == (3, 784)
    assert images.test_labels.tolist() == list(gzip.decompress(tiny["t10k-labels-idx1-ubyte"])[8:])


def test_the_mirror_is_asked_once_a_file(tiny, tmp_path, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(urllib.request, "urlopen", answering(tiny, asked))
    first, second = (datasets.load_fashion_mnist(cache=tmp_path) for _ in range(2))
    np.testing.assert_array_equal(first.train_images, second.train_images)
    assert len(asked) == 4
    assert all(address.startswith("https://") for address in asked)


def test_a_damaged_download_is_refused_and_not_kept(tiny, tmp_path, monkeypatch):
    name = "train-labels-idx1-ubyte"
    damaged = tiny | {name: tiny[name][:-9]}
    monkeypatch.setattr(urllib.request, "urlopen", answering(damaged, []))
    with pytest.raises(DamagedFile, match=name):
        datasets.load_fashion_mnist(cache=tmp_path)
    assert not (tmp_path / "fashion-mnist" / f"{name}.gz").exists()


def test_a_mirror_out_of_reach_says_what_to_do(tiny, tmp_path, monkeypatch):
    def unreachable(address, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DamagedFile, match=r"could not be fetched .*no route to host.* Put the four files in a folder"):
        datasets.load_fashion_mnist(cache=tmp_path)


def changed(content: bytes) -> bytes:
    unpacked = bytearray(gzip.decompress(content))
    unpacked[-1] ^= 1
    return gzip.compress(unpacked)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed, "is damaged or another file: SHA-256"),
        (lambda c: c[:-9], "is damaged"),
        (lambda c: b"", "is damaged"),
        (None, "No such file"),
    ],
)
def test_a_damaged_or_missing_file_is_named_with_its_remedy(damage, said, tiny, tmp_path):
    for name, content in tiny.items():
        (tmp_path / f"{name}.gz").write_bytes(content)
    victim = tmp_path / "t10k-labels-idx1-ubyte.gz"
    content = victim.read_bytes()
    victim.unlink()
    if damage is not None:
        victim.write_bytes(damage(content))
    with pytest.raises(DamagedFile, match=said) as caught:
        datasets.load_fashion_mnist(tmp_path)
    assert "t10k-labels-idx1-ubyte.gz" in str(caught.value)
    assert "Get the four files again" in str(caught.value)


@pytest.mark.skipif("TUTELAGE_FASHION_MNIST" not in os.environ, reason="names no folder with Fashion-MNIST's files")
def test_the_real_fashion_mnist_passes_its_checksums():
    images = datasets.load_fashion_mnist(os.environ["TUTELAGE_FASHION_MNIST"])
    assert np.bincount(images.train_labels).tolist() == [6000] * 10
    assert images.test_images.shape == (10_000, 784)
