# Lightning's ModelCheckpoint: the best two of four epochs, the last one as a copy and as a link, then on from the last one.

from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from support import main, note_closed, require, same_names
from torch_support import same_tensors, small_net, tensor


class Noting(ModelCheckpoint):
    def on_train_epoch_end(self, *arguments):
        super().on_train_epoch_end(*arguments)
        note_closed(Path(self.dirpath))


class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = small_net(1, 400)

    def training_step(self, batch):
        loss = self.net(batch).square().mean()
        # Up and down, so that it is known which two of the epochs are kept: 1 and 3.
        self.log("rank", float(self.current_epoch % 2 == 0) + 0.1 * self.current_epoch)
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=0.01)


def train(folder, epochs, **options):
    lightning.seed_everything(1, verbose=False)
    keep = Noting(folder, filename="{epoch}", monitor="rank", save_top_k=2, **options)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[keep],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    net, data = Net(), torch.utils.data.DataLoader(tensor(2, 16, 400), batch_size=8)
    last = folder / "last.ckpt"
    trainer.fit(net, data, ckpt_path=last if last.exists() else None, weights_only=False)
    return net


def save(folder):
    train(folder / "copy", 2, save_last=True)
    train(folder / "copy", 4, save_last=True)
    train(folder / "link", 4, save_last="link")


def check(folder):
    for name in ("copy", "link"):
        same_names(folder / name, ["epoch=1.ckpt", "epoch=3.ckpt", "last.ckpt"])
        require((folder / name / "last.ckpt").is_symlink() == (name == "link"), f"{name}: last.ckpt is no {name}")
        loaded = torch.load(folder / name / "last.ckpt", weights_only=False)
        require(loaded["epoch"] == 3, f"{name}: epoch {loaded['epoch']}, not 3")
        same_tensors(name, Net().load_state_dict(loaded["state_dict"]) and loaded["state_dict"], wanted())


def wanted():
    net = Net()
    optimizer = net.configure_optimizers()
    for _ in range(4):
        for batch in tensor(2, 16, 400).split(8):
            optimizer.zero_grad()
            net.net(batch).square().mean().backward()
            optimizer.step()
    return net.state_dict()


main(save=save, check=check)
