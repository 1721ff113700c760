# tensorboard's SummaryWriter: the log is opened, appended to and closed again for each of 600 scalars.

from support import main, require
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

COUNT = 600


def save(folder):
    with SummaryWriter(folder / "run") as writer:
        for step in range(COUNT):
            writer.add_scalar("loss", 1 / (step + 1), step)


def check(folder):
    log = EventAccumulator(str(folder / "run"), size_guidance={"scalars": 0})
    log.Reload()
    got = [(event.step, event.value) for event in log.Scalars("loss")]
    require([step for step, _ in got] == list(range(COUNT)), f"{len(got)} steps, not {COUNT}")
    require(all(abs(value - 1 / (step + 1)) < 1e-6 for step, value in got), "a value is another")


main(save=save, check=check)
