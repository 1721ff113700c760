# pyarrow: parquet, feather, a stream of record batches, and a data set in partitions that are written side by side.

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.feather as feather
import pyarrow.parquet as pq
from support import floats, main, require


def table(seed, rows):
    part = pa.array(np.arange(rows) % 4)
    names = pa.array([f"row {number}" for number in range(rows)])
    return pa.table({"id": np.arange(rows), "x": floats(seed, rows), "name": names, "part": part})


def save(folder):
    pq.write_table(table(1, 150_000), folder / "one.parquet", row_group_size=20_000)
    feather.write_feather(table(2, 100_000), folder / "two.feather", compression="uncompressed")
    with pa.ipc.new_file(folder / "three.arrow", table(3, 1).schema) as writer:
        for batch in table(3, 100_000).to_batches(max_chunksize=5000):
            writer.write_batch(batch)
    ds.write_dataset(table(4, 80_000), folder / "parts", format="parquet", partitioning=["part"])


def check(folder):
    require(pq.read_table(folder / "one.parquet").equals(table(1, 150_000)), "one.parquet is another table")
    require(feather.read_table(folder / "two.feather").equals(table(2, 100_000)), "two.feather is another table")
    with pa.memory_map(str(folder / "three.arrow")) as source:
        loaded = pa.ipc.open_file(source).read_all()
    require(loaded.equals(table(3, 100_000)), "three.arrow is another table")
    parts = ds.dataset(folder / "parts", partitioning=["part"]).to_table().sort_by("id")
    require(parts.select(["id", "x", "name"]).equals(table(4, 80_000).select(["id", "x", "name"])), "parts differ")


main(save=save, check=check)
