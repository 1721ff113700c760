# safetensors with numpy: written under `.tmpXXXXXX` and renamed while it is open, so that it must cost one upload under its
# own name and no copy.

from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from support import floats, main, require, same, same_names

SHAPES = {"embed": (1, 2000, 500), "head": (2, 500, 300), "norm": (3, 500)}


def tensors():
    return {name: floats(*what) for name, what in SHAPES.items()}


def save(folder):
    save_file(tensors(), folder / "model.safetensors", metadata={"step": "7"})
    save_file({"scale": floats(9, 100)}, folder / "small.safetensors")


def check(folder):
    same_names(folder, ["model.safetensors", "small.safetensors"])
    for name, value in load_file(folder / "model.safetensors").items():
        same(name, value, tensors()[name])
    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        require(file.metadata() == {"step": "7"}, f"metadata: {file.metadata()}")
        same("rows of embed", file.get_slice("embed")[100:200], tensors()["embed"][100:200])
    same("scale", load_file(folder / "small.safetensors")["scale"], floats(9, 100))


main(save=save, check=check)
