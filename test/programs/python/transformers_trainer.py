# The Trainer of transformers: a checkpoint every two steps of which two are kept, then (`resume`, on another machine) from the
# last one to the end. What comes out must be what a run without interruption gives.

import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from support import main, note_closed, same_names
from torch_support import filled, same_tensors
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments


class Noting(TrainerCallback):
    def on_save(self, args, state, control, **_):
        note_closed(Path(args.output_dir, f"checkpoint-{state.global_step}"))


def trainer(folder, steps, strategy="steps"):
    config = GPT2Config(vocab_size=500, n_positions=16, n_embd=128, n_layer=2, n_head=2)
    words = torch.randint(0, 500, (64, 16), generator=torch.Generator().manual_seed(1))
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        lr_scheduler_type="constant",
        save_strategy=strategy,
        save_steps=2,
        save_total_limit=2,
        per_device_train_batch_size=4,
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=1,
    )
    data = [{"input_ids": row, "labels": row} for row in words]
    model = filled(GPT2LMHeadModel(config), 1)
    return Trainer(model=model, args=arguments, train_dataset=data, callbacks=[Noting()])


def save(folder):
    trainer(folder, 6).train()
    same_names(folder, ["checkpoint-4", "checkpoint-6"])


def resume(folder):
    same_names(folder, ["checkpoint-4", "checkpoint-6"])
    trainer(folder, 10).train(resume_from_checkpoint=True)


def check(folder):
    same_names(folder, ["checkpoint-8", "checkpoint-10"])
    with tempfile.TemporaryDirectory(prefix="kodomount-") as other:
        straight = trainer(other, 10, strategy="no")
        straight.train()
    loaded = GPT2LMHeadModel.from_pretrained(folder / "checkpoint-10")
    same_tensors("checkpoint-10", loaded.state_dict(), straight.model.state_dict())


main(save=save, resume=resume, check=check)
