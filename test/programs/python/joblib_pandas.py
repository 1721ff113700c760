# joblib: plain, compressed, and loaded through a mapping; pandas: csv, pickle and parquet.

import joblib
import numpy as np
import pandas as pd
from support import floats, main, require, same


def model(seed):
    return {"coef": floats(seed, 900, 1000), "intercept": floats(seed + 1, 1000), "name": "ridge"}


def frame(seed):
    return pd.DataFrame({"id": np.arange(50_000), "x": floats(seed, 50_000), "name": "row"})


def save(folder):
    joblib.dump(model(1), folder / "plain.joblib")
    joblib.dump(model(3), folder / "packed.joblib", compress=3)
    frame(5).to_csv(folder / "table.csv", index=False)
    frame(6).to_pickle(folder / "table.pkl")
    frame(7).to_parquet(folder / "table.parquet")


def check(folder):
    for name, seed, options in (("plain", 1, {}), ("plain", 1, {"mmap_mode": "r"}), ("packed", 3, {})):
        loaded = joblib.load(folder / f"{name}.joblib", **options)
        same(f"{name}: coef", loaded["coef"], model(seed)["coef"])
        same(f"{name}: intercept", loaded["intercept"], model(seed)["intercept"])
    csv = pd.read_csv(folder / "table.csv", dtype={"x": "f4"})
    require(csv.equals(frame(5).astype(csv.dtypes)), "table.csv is another table")
    require(pd.read_pickle(folder / "table.pkl").equals(frame(6)), "table.pkl is another table")
    require(pd.read_parquet(folder / "table.parquet").equals(frame(7).astype({"name": "str"})), "table.parquet is another table")


main(save=save, check=check)
