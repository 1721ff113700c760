# What the cases with torch have in common: tensors and small models from a seed, and their comparison.

import os

# Before torch is loaded: sums come out the same on each run, and no case takes all cores.
os.environ["OMP_NUM_THREADS"] = "1"

import torch
from support import floats, require, same

torch.use_deterministic_algorithms(True)


def tensor(seed, *shape):
    return torch.from_numpy(floats(seed, *shape))


def filled(model, seed):
    """The model with parameters from the seed."""
    with torch.no_grad():
        for number, (_, parameter) in enumerate(sorted(model.named_parameters())):
            parameter.copy_(tensor(seed + number, *parameter.shape) / 50)
    return model


def small_net(seed, width):
    net = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 1))
    return filled(net, seed)


def same_tensors(what, got, want):
    """Two dictionaries of tensors, as `state_dict` gives them."""
    require(list(got) == list(want), f"{what}: names {list(got)}, not {list(want)}")
    for name, value in want.items():
        same(f"{what}: {name}", got[name].detach().numpy(), value.detach().numpy())
