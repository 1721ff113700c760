# orbax: four saves in the background by a CheckpointManager that keeps two; each is made in a temporary directory within a
# temporary directory, both are renamed, and old ones go.

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp
import orbax.checkpoint as ocp
from support import floats, main, note_closed, require, same


def manager(folder):
    options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=True)
    return ocp.CheckpointManager(folder.absolute() / "run", options=options)


def state(step):
    return {"w": jnp.asarray(floats(step, 1000, 500)), "b": jnp.asarray(floats(step + 100, 500)), "step": step}


def save(folder):
    with manager(folder) as run:
        for step in range(1, 5):
            run.save(step, args=ocp.args.StandardSave(state(step)))
            run.wait_until_finished()
            note_closed(folder / "run" / str(step))


def check(folder):
    names = sorted(path.name for path in (folder / "run").iterdir())
    require(names == ["3", "4"], f"run: {names}, not 3 and 4")
    with manager(folder) as run:
        require(run.latest_step() == 4, f"the latest step is {run.latest_step()}")
        for step in (3, 4):
            loaded = run.restore(step, args=ocp.args.StandardRestore(state(9)))
            require(loaded["step"] == step, f"step {loaded['step']}, not {step}")
            same(f"w of step {step}", loaded["w"], state(step)["w"])
            same(f"b of step {step}", loaded["b"], state(step)["b"])


main(save=save, check=check)
