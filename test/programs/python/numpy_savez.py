# numpy.savez and savez_compressed: zip files whose writer goes back to the header of each member after its data.

import numpy as np
from support import floats, main, same

MEMBERS = {"weights": (1, 900_001), "bias": (2, 31), "table": (3, 1000, 701)}


def arrays():
    return {name: floats(*what) for name, what in MEMBERS.items()}


def save(folder):
    np.savez(folder / "plain.npz", **arrays())
    np.savez_compressed(folder / "compressed.npz", **arrays())


def check(folder):
    for name in ("plain.npz", "compressed.npz"):
        with np.load(folder / name) as loaded:
            for member, want in arrays().items():
                same(f"{member} in {name}", loaded[member], want)


main(save=save, check=check)
