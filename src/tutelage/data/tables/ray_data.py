"""Datasets of Ray Data whose blocks are computed: read block by block, in the order of the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tutelage.core.errors import BadInput, require
from tutelage.data.tables.arrow_parts import ArrowParts, Blocks


def is_ray_dataset(data: Any) -> bool:
    """Whether this is a Dataset of Ray Data."""
    return type(data).__module__.startswith("ray.data.") and hasattr(data, "materialize")


def of_ray_dataset(dataset: Any) -> ArrowParts:
    """A Dataset that `materialize()` returned. Its blocks lie in Ray's object store and do not change, and neither does their order.

    The blocks are read once, for how many rows they have; afterwards one is in the memory of this process at a time.

    Raises:
        BadInput: a Dataset that is computed each time it is read, perhaps in another order; or blocks of different columns.
    """
    if type(dataset).__name__ != "MaterializedDataset":
        raise BadInput(
            "this Dataset of Ray is computed each time it is read, and its rows may come in another order; pass its materialize(), whose "
            "blocks stay as they are, or write it with write_parquet(folder) and pass the folder."
        )
    import pyarrow as pa

    ray = require("ray")
    references = dataset.to_arrow_refs()
    sizes, schemas = [], []
    for reference in references:
        block = ray.get(reference)
        sizes.append(block.num_rows)
        schemas += [block.schema] if block.num_rows else []
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    except pa.ArrowException as error:
        raise BadInput(f"the blocks of this Dataset of Ray have columns of different types ({error}); write it with one schema.") from error
    blocks = Blocks(sizes, lambda index: ray.get(references[index]).cast(schema) if sizes[index] else schema.empty_table())

    def columns(names: list[str]) -> Iterator[Any]:
        return (blocks.read(index).select(names) for index in range(len(sizes)))

    return ArrowParts(sum(sizes), schema, blocks.table, "Dataset of Ray", columns, max(sizes, default=1))
