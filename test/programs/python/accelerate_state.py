# accelerate: save_state twice with a limit of two, over the steps of a small training, and load_state.

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from support import main, note_closed, require, same_names
from torch_support import same_tensors, small_net, tensor


class Training:
    def __init__(self, folder):
        config = ProjectConfiguration(str(folder), automatic_checkpoint_naming=True, total_limit=2)
        self.accelerator = Accelerator(cpu=True, project_config=config)
        net = small_net(1, 500)
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        self.net, self.optimizer = self.accelerator.prepare(net, optimizer)

    def step(self, seed):
        self.accelerator.backward(self.net(tensor(seed, 8, 500)).square().mean())
        self.optimizer.step()
        self.optimizer.zero_grad()


def save(folder):
    training = Training(folder)
    for step in range(3):
        training.step(100 + step)
        training.accelerator.save_state()
        note_closed(folder / "checkpoints" / f"checkpoint_{step}")


def check(folder):
    same_names(folder / "checkpoints", ["checkpoint_1", "checkpoint_2"])
    want = Training(folder)
    for step in range(3):
        want.step(100 + step)
    got = Training(folder)
    got.accelerator.load_state(str(folder / "checkpoints/checkpoint_2"))
    same_tensors("model", got.net.state_dict(), want.net.state_dict())
    for number, state in want.optimizer.state_dict()["state"].items():
        same_tensors(f"optimizer {number}", got.optimizer.state_dict()["state"][number], state)
    require(len(want.optimizer.state_dict()["state"]) > 0, "the optimizer has no state")


main(save=save, check=check)
