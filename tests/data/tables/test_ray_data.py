import numpy as np
import pandas as pd
import pytest

import tutelage as tl
from tutelage.core.errors import BadInput
from tutelage.data.rows import as_rows

ROWS = pd.DataFrame({"size": np.arange(20.0), "name": [f"r{row}" for row in range(20)]})
TYPED = pd.DataFrame({"age": pd.array([*range(19), None], "Int64"), "ok": [True] * 19 + [None]})


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Ray
def test_a_materialized_dataset_of_ray_is_read_by_blocks_in_their_order(ray, tmp_path):
    import ray.data

    lazy = ray.data.from_pandas(ROWS).repartition(3)
    with pytest.raises(BadInput, match=r"this Dataset of Ray is computed each time it is read.*pass its materialize\(\)"):
        as_rows(lazy)
    data = lazy.materialize()
    rows = as_rows(data)
    assert (rows.count, rows.schema.names, rows.origin) == (20, ("size", "name"), None)
    assert 5 < rows.grain < 9
    read = pd.concat([part for *_, part in rows.parts(4)], ignore_index=True)
    assert sorted(read["size"]) == ROWS["size"].tolist()
    again = pd.concat([part for *_, part in as_rows(data).parts(20)], ignore_index=True)
    pd.testing.assert_frame_equal(read, again)
    teacher = tl.as_teacher(lambda X: X["size"].to_numpy() - 9.5, kind="logits", classes=["small", "large"], version="1")
    labels = tl.record(teacher, data, tmp_path / "labels", shard_rows=6)
    found = tl.parts(data, labels, window=6)
    assert sorted(number for part in found.batches(5) for number in part.numbers.tolist()) == list(range(20))
    np.testing.assert_array_equal(found.shard(1).answers, teacher.answer(read[6:12]))


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of Ray
def test_blocks_of_ray_are_read_once_for_their_sizes_and_what_settles_their_columns(ray, monkeypatch):
    import ray.data

    rows = as_rows(ray.data.from_pandas([TYPED[:10], TYPED[10:]]).materialize())
    read, get = [], ray.get
    monkeypatch.setattr("ray.get", lambda *given, **options: read.append(given) or get(*given, **options))
    first, last = rows.part(0, 5), rows.part(15, 20)
    assert len(read) == 2
    assert [str(part["age"].dtype) for part in (first, last)] == ["float64"] * 2
    assert [str(part["ok"].dtype) for part in (first, last)] == ["object"] * 2
