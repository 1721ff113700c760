# numpy.save and tofile: one array, two in one handle (the handle is duplicated and closed for each), none, and a replaced one.

import numpy as np
from support import floats, main, note_closed, same, same_names


def save(folder):
    np.save(folder / "one.npy", floats(1, 1_250_003))
    with open(folder / "two.npy", "wb") as file:
        np.save(file, floats(2, 800_001))
        np.save(file, floats(3, 700_001))
    floats(4, 600_001).tofile(folder / "raw.bin")
    np.save(folder / "small.npy", floats(5, 10, 10))
    np.save(folder / "replaced.npy", floats(6, 500_000))
    note_closed(folder / "replaced.npy")
    np.save(folder / "replaced.npy", floats(7, 550_000))


def check(folder):
    same_names(folder, ["one.npy", "two.npy", "raw.bin", "small.npy", "replaced.npy"])
    same("one.npy", np.load(folder / "one.npy"), floats(1, 1_250_003))
    with open(folder / "two.npy", "rb") as file:
        same("first in two.npy", np.load(file), floats(2, 800_001))
        same("second in two.npy", np.load(file), floats(3, 700_001))
    same("raw.bin", np.fromfile(folder / "raw.bin", np.float32), floats(4, 600_001))
    same("small.npy", np.load(folder / "small.npy"), floats(5, 10, 10))
    same("replaced.npy", np.load(folder / "replaced.npy"), floats(7, 550_000))


main(save=save, check=check)
