import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.tree import DecisionTreeClassifier

from tutelage.core.hashing import content_hash

TREE = DecisionTreeClassifier(random_state=0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20) // 5)


def test_a_tree_from_a_file_has_one_name_in_every_process(tmp_path):
    skops.io.dump(TREE, tmp_path / "tree.skops")
    code = (
        "import sys, numpy as np, skops.io; from tutelage.core.hashing import content_hash; junk = np.full(10**5, int(sys.argv[1]));"
        "del junk; print(content_hash(skops.io.load('tree.skops', trusted=['sklearn.tree._tree.Tree'])))"
    )
    said = {
        subprocess.run([sys.executable, "-c", code, fill], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for fill in ("7", "255")
    }
    assert said == {content_hash(TREE) + "\n"}


def test_bytes_between_the_fields_do_not_count():
    padded = np.dtype({"names": ["a", "b"], "formats": ["i8", "u1"], "itemsize": 16})
    first, second = (np.frombuffer(np.arange(9, dtype="u1").tobytes() + bytes([fill] * 7), dtype=padded) for fill in (0, 1))
    assert first.tobytes() != second.tobytes()
    assert content_hash(first) == content_hash(second)


def test_another_tree_has_another_name():
    other = DecisionTreeClassifier(random_state=0).fit(np.arange(20.0).reshape(-1, 1), np.arange(20) // 4)
    assert content_hash(other) != content_hash(TREE)


def test_what_cannot_be_pickled_has_no_name():
    with pytest.raises((AttributeError, TypeError)):
        content_hash(lambda: None)
