import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.hashing import content_hash

TREE = DecisionTreeClassifier(random_state=0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20) // 5)


@pytest.mark.slow
def test_a_tree_from_a_file_has_the_same_hash_in_every_process(tmp_path):
    skops.io.dump(TREE, tmp_path / "tree.skops")
    code = """
import numpy as np, skops.io
from tutelage.core.hashing import content_hash

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


def test_an_object_that_cannot_be_pickled_is_rejected():
    with pytest.raises((AttributeError, TypeError)):
        content_hash(lambda: None)
