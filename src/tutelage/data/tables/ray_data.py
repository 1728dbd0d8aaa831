"""Datasets of Ray Data whose blocks are computed: read block by block, in the order of the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tutelage.core.errors import BadInput, require
from tutelage.data.tables.arrow_parts import ArrowParts, Blocks
from tutelage.data.tables.settled import settle


def is_ray_dataset(data: Any) -> bool:
    """Whether this is a Dataset of Ray Data."""
    return type(data).__module__.startswith("ray.data.") and hasattr(data, "materialize")


def of_ray_dataset(dataset: Any) -> ArrowParts:
    """A Dataset that `materialize()` returned. Its blocks lie in Ray's object store and do not change, and neither does their order.

    The blocks are read once, for how many rows they have and what settles their columns; afterwards one is in the memory of this process
    at a time.

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

    def filled() -> Iterator[Any]:
        for reference in references:
            block = ray.get(reference)
            sizes.append(block.num_rows)
            if block.num_rows:
                schemas.append(block.schema)
                yield block

    try:
        settled = settle(filled())
        schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    except pa.ArrowException as error:
        raise BadInput(f"the blocks of this Dataset of Ray have columns of different types ({error}); write it with one schema.") from error

    def read(index: int, names: list[str] | None) -> Any:
        table = ray.get(references[index]).cast(schema) if sizes[index] else schema.empty_table()
        return table if names is None else table.select(names)

    blocks = Blocks(sizes, read)
    return ArrowParts(sum(sizes), schema, blocks.table, "Dataset of Ray", blocks.columns, lambda: settled, max(sizes, default=1))
