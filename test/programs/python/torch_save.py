# torch.save as zip, in the old format, and into a handle; torch.load of them, also mapped, also over a former checkpoint.

import torch
from support import main, note_closed, require
from torch_support import same_tensors, small_net, tensor


def checkpoint(seed):
    return {"model": small_net(seed, 800).state_dict(), "step": seed, "momentum": {"w": tensor(seed, 400_001)}}


def save(folder):
    torch.save(checkpoint(1), folder / "last.pt")
    note_closed(folder / "last.pt")
    torch.save(checkpoint(2), folder / "last.pt")
    torch.save(checkpoint(3), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    with open(folder / "handle.pt", "wb") as file:
        torch.save(checkpoint(4), file)
    torch.save({"step": 5}, folder / "small.pt")


def check_one(path, seed, **options):
    loaded = torch.load(path, weights_only=True, **options)
    require(loaded["step"] == seed, f"{path.name}: step {loaded['step']}, not {seed}")
    want = checkpoint(seed)
    same_tensors(f"{path.name}: model", loaded["model"], want["model"])
    same_tensors(f"{path.name}: momentum", loaded["momentum"], want["momentum"])


def check(folder):
    check_one(folder / "last.pt", 2)
    check_one(folder / "last.pt", 2, mmap=True)
    check_one(folder / "legacy.pt", 3)
    check_one(folder / "handle.pt", 4)
    check_one(folder / "handle.pt", 4, mmap=True)
    require(torch.load(folder / "small.pt") == {"step": 5}, "small.pt: not what was saved")


main(save=save, check=check)
