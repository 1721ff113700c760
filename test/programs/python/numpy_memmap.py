# numpy.memmap and open_memmap: files that are written through a shared mapping, and changed through another one.

import numpy as np
from numpy.lib.format import open_memmap
from support import floats, main, note_closed, same

LENGTH = 1_500_001


def changed():
    values = floats(1, LENGTH)
    values[600_000:600_100] = floats(2, 100)
    return values


def save(folder):
    mapped = open_memmap(folder / "mapped.npy", mode="w+", dtype=np.float32, shape=(LENGTH,))
    mapped[:] = floats(1, LENGTH)
    mapped.flush()
    del mapped
    note_closed(folder / "mapped.npy")
    mapped = np.load(folder / "mapped.npy", mmap_mode="r+")
    mapped[600_000:600_100] = floats(2, 100)
    del mapped
    raw = np.memmap(folder / "raw.bin", dtype=np.float32, mode="w+", shape=(1000, 800))
    raw[:] = floats(3, 1000, 800)
    del raw


def check(folder):
    same("mapped.npy", np.load(folder / "mapped.npy", mmap_mode="r"), changed())
    same("mapped.npy, read", np.load(folder / "mapped.npy"), changed())
    raw = np.memmap(folder / "raw.bin", dtype=np.float32, mode="r", shape=(1000, 800))
    same("raw.bin", raw, floats(3, 1000, 800))


main(save=save, check=check)
