# safetensors with torch: a save, and a save over a file that is mapped at this moment: who has it mapped goes on with the old
# content.

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support import main, note_closed, same_names
from torch_support import same_tensors, tensor


def tensors(seed):
    return {"embed": tensor(seed, 2000, 500), "head": tensor(seed + 1, 500, 300), "norm": tensor(seed + 2, 500)}


def save(folder):
    path = folder / "model.safetensors"
    save_file(tensors(1), path)
    note_closed(path)
    with safe_open(path, framework="pt") as old:
        first = old.get_tensor("norm")
        save_file(tensors(11), path)
        same_tensors("the old file", {name: old.get_tensor(name) for name in tensors(1)}, tensors(1))
        same_tensors("the old tensor", {"norm": first}, {"norm": tensors(1)["norm"]})
    same_tensors("the new file", load_file(path), tensors(11))


def check(folder):
    same_names(folder, ["model.safetensors"])
    same_tensors("load_file", load_file(folder / "model.safetensors"), tensors(11))
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        same_tensors("safe_open", {name: file.get_tensor(name) for name in tensors(11)}, tensors(11))


main(save=save, check=check)
