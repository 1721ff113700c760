# What the cases have in common: `NAME.py save DIR` and `NAME.py check DIR`, in processes that know nothing of each other, and
# content that both make from a seed. A check ends with 1 and a sentence when something is not as it was saved.

import logging
import os
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


def main(**actions):
    """Calls the action that the first argument names with the directory that the second one names."""
    name, directory = sys.argv[1:]
    actions[name](Path(directory))
    sys.stdout.flush()


def floats(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def require(condition, sentence):
    if not condition:
        sys.exit(sentence)


def same(what, got, want):
    """Same type, shape and bytes."""
    got, want = np.asarray(got), np.asarray(want)
    require(got.dtype == want.dtype, f"{what}: type {got.dtype}, not {want.dtype}")
    require(got.shape == want.shape, f"{what}: shape {got.shape}, not {want.shape}")
    if got.tobytes() != want.tobytes():
        sys.exit(f"{what}: {np.count_nonzero(got != want)} of {want.size} values differ")


def same_names(directory, want):
    got = sorted(path.name for path in directory.iterdir())
    require(got == sorted(want), f"{directory.name}: {got}, not {sorted(want)}")


def note_closed(*paths):
    """These files, and those below these directories, are whole now: the bucket may show them as they are, though they will be
    replaced or removed."""
    folder = os.environ.get("CLOSED")
    for path in paths if folder else ():
        copy = Path(folder, f"{len(os.listdir(folder))}-{path.name}")
        if path.is_symlink():
            copy.write_text(os.readlink(path))
        elif path.is_dir():
            note_closed(*path.iterdir())
        else:
            shutil.copyfile(path, copy)
