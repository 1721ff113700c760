# transformers: save_pretrained in shards and again in one file over it, which removes the shards; from_pretrained of both.

import os

os.environ["HF_HUB_OFFLINE"] = "1"

from support import main, note_closed, require
from torch_support import filled, same_tensors
from transformers import GPT2Config, GPT2LMHeadModel


def model(seed):
    config = GPT2Config(vocab_size=1000, n_positions=64, n_embd=256, n_layer=3, n_head=4)
    return filled(GPT2LMHeadModel(config), seed)


def shards(folder):
    return sorted(path.name for path in folder.glob("*.safetensors"))


def save(folder):
    model(1).save_pretrained(folder / "sharded", max_shard_size="4MB")
    require(len(shards(folder / "sharded")) > 1, "the model is too small for shards")
    model(101).save_pretrained(folder / "again", max_shard_size="4MB")
    note_closed(folder / "again")
    model(201).save_pretrained(folder / "again", max_shard_size="1GB")
    require(shards(folder / "again") == ["model.safetensors"], f"again: {shards(folder / 'again')}")


def check(folder):
    for name, seed in (("sharded", 1), ("again", 201)):
        loaded = GPT2LMHeadModel.from_pretrained(folder / name)
        same_tensors(name, loaded.state_dict(), model(seed).state_dict())
    require(shards(folder / "again") == ["model.safetensors"], f"again: {shards(folder / 'again')}")


main(save=save, check=check)
