# zarr's LocalStore: each chunk is written as `KEY.<32 digits>.partial`, closed and renamed; a part of a chunk is changed by
# reading it and replacing it. The chunks are smaller than a part.

import zarr
from support import floats, main, note_closed, same


def changed():
    values = floats(1, 900, 800)
    values[100:350, 50:500] = floats(2, 250, 450)
    return values


def save(folder):
    store = zarr.storage.LocalStore(folder / "store")
    root = zarr.create_group(store)
    array = root.create_array("data", shape=(900, 800), chunks=(300, 400), dtype="f4", compressors=None)
    note_closed(folder / "store")
    array[:] = floats(1, 900, 800)
    note_closed(folder / "store")
    array[100:350, 50:500] = floats(2, 250, 450)
    array.attrs["step"] = 2


def check(folder):
    array = zarr.open_group(zarr.storage.LocalStore(folder / "store"), mode="r")["data"]
    same("data", array[:], changed())
    same("step", array.attrs["step"], 2)
    left = [path.name for path in (folder / "store").rglob("*.partial")]
    same("names that are left", len(left), 0)


main(save=save, check=check)
