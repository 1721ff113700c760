# torch.distributed.checkpoint: saves by four threads into one file each, over a former save, and one in the background;
# `.metadata` must never show before what it tells of.

import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from support import main, note_closed, require
from torch_support import same_tensors, tensor


def state(seed):
    return {f"layer{number}": tensor(seed + number, 700_001) for number in range(4)}


def write(folder, seed):
    dcp.save(state(seed), storage_writer=dcp.FileSystemWriter(folder, thread_count=4), no_dist=True)


def save(folder):
    write(folder / "sync", 1)
    note_closed(folder / "sync")
    write(folder / "sync", 11)
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    dcp.async_save(state(21), checkpoint_id=folder / "async").result()
    dist.destroy_process_group()


def check(folder):
    for name, seed in (("sync", 11), ("async", 21)):
        loaded = state(99)
        dcp.load(loaded, checkpoint_id=folder / name, no_dist=True)
        same_tensors(name, loaded, state(seed))
        left = [path.name for path in (folder / name).iterdir() if path.name.endswith(".tmp")]
        require(left == [], f"{name}: left behind: {left}")


main(save=save, check=check)
