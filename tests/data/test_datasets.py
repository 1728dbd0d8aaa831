"""MNIST and Fashion-MNIST: where the files are read from, what is fetched, and what each failure says."""

import gzip
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tutelage.core.errors import BadInput, CannotWrite, DamagedFile
from tutelage.data import datasets
from tutelage.data.datasets import FASHION_MNIST, MNIST, ImageFiles, load_fashion_mnist, load_mnist

STEMS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
VICTIM = "t10k-labels-idx1-ubyte"
REAL_FASHION_MNIST = os.environ.get("TUTELAGE_FASHION_MNIST")


def idx(values: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.astype(np.uint8).tobytes()


RNG = np.random.default_rng(0)
CHECKOUT_DATASETS = datasets.CHECKOUT_DATASETS
SHAPES = ((3, 28, 28), (3,), (2, 28, 28), (2,))
PLAIN = {stem: idx(RNG.integers(0, 10, shape)) for stem, shape in zip(STEMS, SHAPES, strict=True)}
PACKED = {f"{stem}.gz": gzip.compress(content) for stem, content in PLAIN.items()}


def changed(content: bytes) -> bytes:
    """Another file of the same kind: one bit of its last value differs."""
    unpacked = bytearray(gzip.decompress(content))
    unpacked[-1] ^= 1
    return gzip.compress(unpacked)


@dataclass
class Mirror:
    """A server on 127.0.0.1 that answers from `files`, with the failures that a test asks for, and remembers the requests."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=lambda: dict(PACKED))
    shorter_by: int = 0  # bytes that are announced and never sent
    requests: list[str] = field(default_factory=list)


@pytest.fixture
def serve() -> Iterator:
    """Start as many mirrors as a test needs."""
    servers = []

    def start(**options) -> Mirror:
        mirror = Mirror(**options)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rsplit("/", 1)[1]
                mirror.requests.append(self.path)
                if name not in mirror.files:
                    self.send_error(404)
                    return
                body = mirror.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - mirror.shorter_by])

            def log_message(self, *arguments):
                """Quiet: pytest shows what the test says."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        mirror.address = f"http://127.0.0.1:{server.server_port}/digits/"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def outside_a_checkout(monkeypatch, tmp_path):
    """Neither a checkout nor a variable names files, and the user's cache is empty."""
    monkeypatch.setattr(datasets, "CHECKOUT_DATASETS", tmp_path / "no-checkout")
    for variable in ("TUTELAGE_MNIST", "TUTELAGE_FASHION_MNIST"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "user-cache" / name))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def files_of(*mirrors: str) -> ImageFiles:
    """A data set of five pictures in the place of MNIST."""
    return ImageFiles(
        name="Digits",
        folder_name="digits",
        variable="TUTELAGE_DIGITS",
        mirrors=mirrors or ("http://127.0.0.1:9/digits/",),  # a port where nothing answers
        sha256={stem: hashlib.sha256(content).hexdigest() for stem, content in PLAIN.items()},
        classes=tuple("0123456789"),
        attribution="made for these tests",
    )


def load(*mirrors: str, folder: str | Path | None = None, cache: str | Path | None = None, mirror: str | None = None):
    return files_of(*mirrors).load(folder, cache=cache, mirror=mirror)


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def assert_sound(images) -> None:
    assert images.train_images.shape == (3, 784)
    assert images.test_images.tobytes() == PLAIN["t10k-images-idx3-ubyte"][16:]
    assert images.test_labels.tolist() == list(PLAIN["t10k-labels-idx1-ubyte"][8:])
    assert images.test_labels.dtype == np.int64


@pytest.mark.parametrize(
    "files", [PACKED, PLAIN, {f"{stem}.gz": content for stem, content in PLAIN.items()}], ids=["gz", "plain", "misnamed"]
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_folder_holds_gzipped_or_plain_files(files, kind, tmp_path):
    assert_sound(load(folder=kind(fill(tmp_path / "mine", files))))


def test_a_variable_names_the_folder_and_an_argument_goes_before_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_DIGITS", str(fill(tmp_path / "mine", PACKED)))
    assert_sound(load())
    with pytest.raises(DamagedFile, match=r"other holds neither train-images-idx3-ubyte\.gz nor train-images-idx3-ubyte\. Download"):
        load(folder=tmp_path / "other")


def test_an_empty_variable_names_nothing(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_DIGITS", "")
    assert_sound(load(serve().address, cache=tmp_path))


def test_a_checkout_is_read_before_anything_is_fetched(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CHECKOUT_DATASETS", tmp_path / "datasets")
    fill(tmp_path / "datasets" / "digits", PACKED | {"ATTRIBUTION.md": b"ours"})
    mirror = serve()
    assert_sound(load(mirror.address, cache=tmp_path / "cache"))
    assert mirror.requests == []
    assert not (tmp_path / "cache").exists()


def test_a_folder_of_the_same_name_in_another_project_is_left_alone(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "CHECKOUT_DATASETS", tmp_path / "datasets")
    fill(tmp_path / "datasets" / "digits", dict.fromkeys(PACKED, b"theirs"))
    assert_sound(load(serve().address, cache=tmp_path / "cache"))


@pytest.mark.parametrize("kind", [str, Path])
def test_each_file_is_fetched_once(kind, serve, tmp_path):
    mirror = serve()
    for _ in range(2):
        assert_sound(load(mirror.address, cache=kind(tmp_path)))
    assert mirror.requests == [f"/digits/{name}" for name in PACKED]
    assert sorted(path.name for path in (tmp_path / "digits").iterdir()) == sorted(PACKED)


def test_a_cache_that_holds_the_files_needs_no_server(tmp_path):
    fill(tmp_path / "digits", PACKED)
    assert_sound(load(cache=tmp_path))


def test_the_cache_is_the_users_by_default(serve, tmp_path):
    load(serve().address)
    assert (tmp_path / "user-cache" / "tutelage" / "digits" / f"{VICTIM}.gz").is_file()


def test_only_a_damaged_cached_file_is_fetched_again(serve, tmp_path):
    fill(tmp_path / "digits", PACKED | {f"{VICTIM}.gz": PACKED[f"{VICTIM}.gz"][:-9]})
    mirror = serve()
    assert_sound(load(mirror.address, cache=tmp_path))
    assert mirror.requests == [f"/digits/{VICTIM}.gz"]
    assert (tmp_path / "digits" / f"{VICTIM}.gz").read_bytes() == PACKED[f"{VICTIM}.gz"]


def test_a_damaged_cached_file_without_a_mirror_is_named(tmp_path):
    fill(tmp_path / "digits", PACKED | {f"{VICTIM}.gz": b""})
    with pytest.raises(DamagedFile, match=rf"Digits could not be fetched \(http://127\.0\.0\.1:9/digits/{VICTIM}\.gz: \[Errno"):
        load(cache=tmp_path)


def without_victim() -> dict[str, bytes]:
    return {name: content for name, content in PACKED.items() if name != f"{VICTIM}.gz"}


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        (
            {"files": PACKED | {f"{VICTIM}.gz": changed(PACKED[f"{VICTIM}.gz"])}},
            r"its SHA-256 is [0-9a-f]{12}\.\.\., expected [0-9a-f]{12}\.\.\.",
        ),
        ({"files": PACKED | {f"{VICTIM}.gz": PACKED[f"{VICTIM}.gz"][:-9]}}, r"it cannot be unpacked \(Compressed file ended"),
        ({"files": PACKED | {f"{VICTIM}.gz": b"<html>Log in first</html>"}}, r"its SHA-256 is "),
        ({"files": without_victim()}, r"HTTP Error 404: Not Found"),
        ({"shorter_by": 4}, r"IncompleteRead\(\d+ bytes read, 4 more expected\)"),
    ],
    ids=["another file", "cut gzip", "a page", "404", "truncated body"],
)
def test_a_failed_download_is_one_sentence_and_leaves_no_file(options, seen, serve, tmp_path):
    mirror = serve(**options)
    with pytest.raises(DamagedFile) as caught:
        load(mirror.address, cache=tmp_path)
    said = str(caught.value)
    stem = STEMS[0] if "shorter_by" in options else VICTIM
    assert said.startswith(f"Digits could not be fetched ({mirror.address}{stem}.gz: ")
    assert said.endswith("put its four files in a folder and name that folder: pass it as `folder`, or set TUTELAGE_DIGITS.")
    assert re.search(seen, said), said
    held = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert f"{stem}.gz" not in held
    assert set(held) <= set(PACKED)


def test_the_next_mirror_is_tried_where_one_fails(serve, tmp_path):
    empty, whole = serve(files={}), serve()
    assert_sound(load(empty.address, whole.address, cache=tmp_path))
    assert len(empty.requests) == len(whole.requests) == 4


def test_every_mirror_that_failed_is_named(serve, tmp_path):
    first, second = serve(files={}), serve(files={})
    with pytest.raises(DamagedFile) as caught:
        load(first.address, second.address, cache=tmp_path)
    assert first.address in str(caught.value)
    assert second.address in str(caught.value)


def test_a_named_mirror_takes_the_place_of_the_public_ones(serve, tmp_path):
    public, own = serve(), serve()
    assert_sound(load(public.address, mirror=own.address.rstrip("/"), cache=tmp_path))
    assert public.requests == []
    assert len(own.requests) == 4


@pytest.mark.parametrize("mirror", ["", "file:///tmp/mnist", "mnist/"])
def test_a_mirror_is_an_http_address(mirror, tmp_path):
    with pytest.raises(BadInput, match=r"is not the address of a mirror; expected http:// or https://\. Pass a local folder as `folder`"):
        load(mirror=mirror, cache=tmp_path)


@pytest.mark.parametrize("mirror", ["http://[::1/", "http://127.0.0.1:port/", "http://127.0.0.1:9/two words/"])
def test_an_address_that_is_none_is_one_sentence(mirror, tmp_path):
    with pytest.raises(DamagedFile, match="Digits could not be fetched"):
        load(mirror=mirror, cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_named(serve, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CannotWrite, match="cannot be written"):
        load(serve().address, cache=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (changed, "is damaged or another file: its SHA-256 is"),
        (lambda c: c[:-9], r"is damaged or another file: it cannot be unpacked \(Compressed file ended"),
        (lambda c: c[:20] + b"\xff" * 9 + c[29:], r"is damaged or another file: it"),
        (lambda c: b"", "is damaged or another file: its SHA-256 is"),
    ],
    ids=["one bit", "cut", "overwritten", "empty"],
)
def test_a_damaged_file_is_named_with_its_remedy(damage, seen, tmp_path):
    name = f"{VICTIM}.gz"
    fill(tmp_path, PACKED | {name: damage(PACKED[name])})
    with pytest.raises(DamagedFile, match=seen) as caught:
        load(folder=tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name} ")
    assert str(caught.value).endswith("Download the four files of Digits again from http://127.0.0.1:9/digits/.")


def test_a_folder_that_is_a_file_or_a_file_that_is_a_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DamagedFile, match=r"cannot be read \(Not a directory\)\. Download"):
        load(folder=tmp_path / "file")
    (tmp_path / f"{STEMS[0]}.gz").mkdir()
    with pytest.raises(DamagedFile, match=r"cannot be read \(Is a directory\)\. Download"):
        load(folder=tmp_path)


def test_the_remedy_fits_who_named_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_DIGITS", str(fill(tmp_path / "mine", without_victim())))
    with pytest.raises(DamagedFile, match="TUTELAGE_DIGITS names this folder: put the four files of Digits there, or unset the variable"):
        load()
    monkeypatch.delenv("TUTELAGE_DIGITS")
    monkeypatch.setattr(datasets, "CHECKOUT_DATASETS", tmp_path / "datasets")
    fill(tmp_path / "datasets" / "digits", without_victim() | {"ATTRIBUTION.md": b"ours"})
    with pytest.raises(DamagedFile, match="Restore the files of this checkout: git restore datasets/digits"):
        load()


EMBEDDED = Path(__file__).parents[2] / "datasets" / "mnist"


@pytest.mark.skipif(not EMBEDDED.is_dir(), reason="only a checkout holds MNIST's files; a source distribution does not")
def test_the_mnist_of_a_checkout_is_whole_and_names_its_makers(monkeypatch):
    monkeypatch.setattr(datasets, "CHECKOUT_DATASETS", CHECKOUT_DATASETS)
    images = load_mnist(mirror="http://127.0.0.1:9/")
    assert images.train_images.shape == (60_000, 784)
    assert images.test_images.shape == (10_000, 784)
    assert np.bincount(images.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(images.train_labels)[[0, 9]].tolist() == [5923, 5949]
    assert images.train_images.max() == 255
    assert "CC BY-SA 3.0" in images.attribution
    assert "Share Alike 3.0" in (EMBEDDED / "ATTRIBUTION.md").read_text(encoding="utf-8")


@pytest.mark.skipif(not EMBEDDED.is_dir(), reason="only a checkout holds MNIST's files; a source distribution does not")
def test_mnist_is_fetched_outside_a_checkout(serve, tmp_path):
    mirror = serve(files={path.name: path.read_bytes() for path in EMBEDDED.glob("*.gz")})
    images = load_mnist(mirror=mirror.address, cache=tmp_path)
    assert len(images.train_labels) == 60_000
    assert len(mirror.requests) == 4
    assert len(load_mnist(tmp_path / "mnist").test_labels) == 10_000


@pytest.mark.parametrize(("load_it", "files"), [(load_mnist, MNIST), (load_fashion_mnist, FASHION_MNIST)])
def test_both_take_a_folder_a_cache_and_a_mirror(load_it, files, serve, tmp_path, monkeypatch):
    with pytest.raises(DamagedFile, match=f"mine holds neither.* again from {re.escape(files.mirrors[0])}"):
        load_it(str(tmp_path / "mine"))
    mirror = serve(files={})
    with pytest.raises(DamagedFile, match=f"{files.name} could not be fetched .*404.* set {files.variable}"):
        load_it(cache=str(tmp_path), mirror=mirror.address)
    assert mirror.requests == ["/digits/train-images-idx3-ubyte.gz"]
    monkeypatch.setenv(files.variable, str(tmp_path / "named"))
    with pytest.raises(DamagedFile, match=f"named holds neither.*{files.variable} names this folder"):
        load_it()


@pytest.mark.skipif(REAL_FASHION_MNIST is None, reason="TUTELAGE_FASHION_MNIST names no folder with Fashion-MNIST's files")
def test_the_real_fashion_mnist_passes_its_checksums():
    images = load_fashion_mnist(REAL_FASHION_MNIST)
    assert np.bincount(images.train_labels).tolist() == [6000] * 10
    assert images.test_images.shape == (10_000, 784)
