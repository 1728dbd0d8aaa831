import subprocess
import sys
from socket import socket
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.errors import BadInput
from tutelage.core.identity.hashing import content_hash

TREE = DecisionTreeClassifier(random_state=0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20) // 5)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_tree_from_a_file_has_the_same_hash_in_every_process(tmp_path):
    skops.io.dump(TREE, tmp_path / "tree.skops")
    code = """
import numpy as np, skops.io
from tutelage.core.identity.hashing import content_hash

for fill in (7, 255):
    np.full(10**5, fill)  # what the memory holds that the tree is loaded into
    print(content_hash(skops.io.load("tree.skops", trusted=["sklearn.tree._tree.Tree"])))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [content_hash(TREE)] * 2


def test_padding_between_fields_is_ignored():
    padded = np.dtype({"names": ["a", "b"], "formats": ["i8", "u1"], "itemsize": 16})
    first, second = (np.frombuffer(np.arange(9, dtype="u1").tobytes() + bytes([fill] * 7), dtype=padded) for fill in (0, 1))
    assert first.tobytes() != second.tobytes()
    assert content_hash(first) == content_hash(second)


def test_a_different_tree_has_a_different_hash():
    other = DecisionTreeClassifier(random_state=0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20) // 4)
    assert content_hash(other) != content_hash(TREE)


def test_an_object_without_content_is_refused_by_the_path_to_it():
    with socket() as line, pytest.raises(BadInput, match=r"\['client'\] > .*: a socket has no content that identifies it"):
        content_hash({"client": [line]})
    with pytest.raises(BadInput, match="a generator has no content"):
        content_hash(cell for cell in "ab")


def test_an_object_nested_too_deeply_is_refused():
    nested: list = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(BadInput, match="nested too deeply"):
        content_hash(nested)


def test_an_object_that_holds_itself_has_a_hash():
    first, second = [1], [1]
    first.append(first)
    second.append(second)
    assert content_hash(first) == content_hash(second) != content_hash([1, [1]])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        ("1", b"1"),
        ([1, 2], (1, 2)),
        ([[1], 2], [[1, 2]]),
        ({"a": 1}, {"a": 2}),
        (np.zeros(2), np.zeros(2, "float32")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.array(["a", None]), np.array(["a", "None"], dtype=object)),
        (np.array("2020", dtype="M8[Y]"), np.array("2021", dtype="M8[Y]")),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
    ],
)
def test_values_that_differ_have_other_hashes(one, other):
    assert content_hash(one) != content_hash(other)


def test_order_matters_but_in_sets_and_among_attributes():
    assert content_hash({1, 2, 3}) == content_hash({3, 2, 1})
    assert content_hash([1, 2]) != content_hash([2, 1])
    assert content_hash({"log": 1, "square": 2}) != content_hash({"square": 2, "log": 1})
    assert content_hash(SimpleNamespace(a=1, b=2)) == content_hash(SimpleNamespace(b=2, a=1))
