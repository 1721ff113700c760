# h5py, with its locks as they are by default: a file that is made, one that is made in chunks and compressed, and an append
# in a second open, which goes back to the superblock and the tables in between.

import h5py
from support import floats, main, note_closed, same


def save(folder):
    with h5py.File(folder / "model.h5", "w") as file:
        file["layers/0"] = floats(1, 1000, 900)
        file["layers/1"] = floats(2, 700_001)
        file.attrs["step"] = 1
    note_closed(folder / "model.h5")
    with h5py.File(folder / "model.h5", "a") as file:
        file["layers/2"] = floats(3, 300_001)
        file.attrs["step"] = 2
    with h5py.File(folder / "chunks.h5", "w", libver="latest") as file:
        data = file.create_dataset(
            "data", (0, 500), maxshape=(None, 500), chunks=(100, 500), compression="gzip", dtype="f4"
        )
        for batch in range(5):
            data.resize((batch + 1) * 200, axis=0)
            data[batch * 200 :] = floats(10 + batch, 200, 500)
            file.flush()


def check(folder):
    with h5py.File(folder / "model.h5", "r") as file:
        same("layers/0", file["layers/0"][:], floats(1, 1000, 900))
        same("layers/1", file["layers/1"][:], floats(2, 700_001))
        same("layers/2", file["layers/2"][:], floats(3, 300_001))
        same("step", file.attrs["step"], 2)
    with h5py.File(folder / "chunks.h5", "r") as file:
        for batch in range(5):
            rows = file["data"][batch * 200 : (batch + 1) * 200]
            same(f"batch {batch}", rows, floats(10 + batch, 200, 500))


main(save=save, check=check)
