import io
import zipfile

import numpy as np
import pytest

from tutelage.core.errors import BadInput, ShapeError
from tutelage.data.tables.array_archive import ArrayArchive

PICTURES, TRUTH = np.arange(48, dtype=np.uint8).reshape(6, 1, 2, 4), np.array(["a", "b"] * 3)


@pytest.fixture
def archive(tmp_path):
    def written(save=np.savez, **arrays):
        save(tmp_path / "rows.npz", **arrays)
        return ArrayArchive.open(tmp_path / "rows.npz")

    return written


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_by_name(archive, save):
    found = archive(save, X=PICTURES, y=TRUTH, column=TRUTH[:, None], several=np.ones((6, 2)), version=np.array(3))
    assert found.shapes == {"X": (6, 1, 2, 4), "y": (6,), "column": (6, 1), "several": (6, 2), "version": ()}
    np.testing.assert_array_equal(found.rows(), PICTURES)
    assert found.rows().dtype == np.uint8
    for name in ("y", "column"):
        np.testing.assert_array_equal(found.beside_rows(name), TRUTH)
    assert found.beside_rows("several", several=True).shape == (6, 2)


def test_the_rows_are_x_or_the_only_array_without_a_role(archive):
    np.testing.assert_array_equal(archive(images=PICTURES, y=TRUTH).rows(["y"]), PICTURES)
    np.testing.assert_array_equal(archive(X=TRUTH, images=PICTURES).rows(["X"]), PICTURES)
    with pytest.raises(BadInput, match=r"which of its arrays 'images', 'ids' holds the rows; call it 'X'.* name them: --inputs images,ids"):
        archive(images=PICTURES, ids=np.arange(6), y=TRUTH).rows(["y"])
    with pytest.raises(BadInput, match="does not say which array holds the rows"):
        archive(y=TRUTH).rows(["y"])


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"X": TRUTH}, BadInput, "of type <U1; expected rows of numbers"),
        ({"X": PICTURES + 1j}, BadInput, "of type complex128; expected rows of numbers"),
        ({"X": np.arange(6)}, ShapeError, r"has shape \(6,\); expected \(rows, ...\), with one row at least"),
        ({"X": PICTURES[:0]}, ShapeError, r"has shape \(0, 1, 2, 4\)"),
        ({"X": np.array(3.0)}, ShapeError, r"has shape \(\)"),
    ],
)
def test_rows_that_no_student_takes_are_refused(archive, arrays, error, message):
    with pytest.raises(error, match=message):
        archive(**arrays).rows()


@pytest.mark.parametrize(
    ("name", "entries", "error", "message"),
    [
        ("truth", TRUTH, BadInput, "has no array 'truth'; it has 'X', 'y'"),
        ("y", TRUTH[:5], ShapeError, r"has shape \(5,\), and the rows, 'X', \(6, 1, 2, 4\); expected \(6,\)"),
        ("y", np.ones((6, 2)), ShapeError, r"has shape \(6, 2\), .*; expected \(6,\)"),
        ("y", np.array(1), ShapeError, r"has shape \(\)"),
        ("y", np.array([0, np.nan, 1, 1, np.nan, 0]), BadInput, r"has 2 missing entries \(first: row 1\)"),
        ("y", np.array(["2026-01-01", "NaT"] * 3, dtype="datetime64[D]"), BadInput, "has 3 missing entries"),
    ],
)
def test_other_arrays_have_an_entry_for_each_row(archive, name, entries, error, message):
    with pytest.raises(error, match=message):
        archive(X=PICTURES, y=entries).beside_rows(name)


def npy(array, shape=None):
    """The bytes of a .npy file, whose header may say another shape."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue() if shape is None else file.getvalue().replace(str(array.shape).encode(), str(shape).encode(), 1)


class Pickled:
    """It would run code."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


HOSTILE = {
    "pickled objects": ({"X.npy": npy(np.array([Pickled()], dtype=object))}, "'X' holds pickled objects"),
    "records": ({"X.npy": npy(np.zeros(3, dtype=[("a", "f4")]))}, "'X' holds records"),
    "a header that says more": ({"X.npy": npy(np.zeros((3, 4)), (9, 4))}, r"says that its shape is \(9, 4\), and holds 96 bytes"),
    "a header that says less": ({"X.npy": npy(np.zeros((3, 4)), (1, 4))}, r"says that its shape is \(1, 4\), and holds 96 bytes"),
    "a negative shape": ({"X.npy": npy(np.zeros((10, 4)), (-9, 4))}, "not a NumPy archive"),
    "no header": ({"X.npy": b"not an array at all"}, "not a NumPy archive"),
    "cut off in the header": ({"X.npy": npy(np.zeros(3))[:20]}, "not a NumPy archive"),
    "another member": ({"X": b"code"}, "'X' is no array"),
    "nothing": ({}, "holds no array"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_before_an_array_is_read(tmp_path, case):
    members, message = HOSTILE[case]
    with zipfile.ZipFile(tmp_path / "rows.npz", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(BadInput, match=message):
        ArrayArchive.open(tmp_path / "rows.npz")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_a_damaged_file_and_none_are_refused(tmp_path):
    path = tmp_path / "rows.npz"
    with zipfile.ZipFile(path, "w") as file:
        for value in (0, 1):
            file.writestr("X.npy", npy(np.full((2, 2), value)))
    with pytest.raises(BadInput, match="holds one array twice"):
        ArrayArchive.open(path)
    np.savez_compressed(path, X=np.random.default_rng(0).random((50, 20)))
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"the array 'X' of .* cannot be read"):
        ArrayArchive.open(path).rows()
    path.write_bytes(bytes(content[:300]))
    with pytest.raises(BadInput, match="not a NumPy archive"):
        ArrayArchive.open(path)
    with pytest.raises(BadInput, match="there is no file"):
        ArrayArchive.open(tmp_path / "none.npz")
