# huggingface_hub: snapshot_download into a cache, with its locks, temporary names, renames and links, and into a plain
# directory; twice each, and the second time no file may be sent. The check finds the files without a network.

import json
import os
from pathlib import Path

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from hub_server import COMMIT, hub
from huggingface_hub import snapshot_download
from support import floats, main, require

REPOSITORY = "someone/tiny"
FILES = {
    "config.json": json.dumps({"model_type": "gpt2"}).encode(),
    "README.md": b"# Tiny\n",
    "model-00001-of-00002.safetensors": floats(1, 900_001).tobytes(),
    "model-00002-of-00002.safetensors": floats(2, 700_001).tobytes(),
    "onnx/model.onnx": floats(3, 300_001).tobytes(),
}


def save(folder):
    for options in ({"cache_dir": folder / "cache"}, {"local_dir": folder / "plain"}):
        with hub(REPOSITORY, FILES) as (address, sent):
            for _ in range(2):
                snapshot_download(REPOSITORY, endpoint=address, **options)
            require(sorted(sent) == sorted(FILES), f"{list(options)}: the hub has sent {sorted(sent)}")


def check_files(where, directory):
    for name, content in FILES.items():
        require(Path(directory, name).read_bytes() == content, f"{where}: {name} is not what was served")


def check(folder):
    found = snapshot_download(REPOSITORY, cache_dir=folder / "cache", local_files_only=True)
    require(found.endswith(f"snapshots/{COMMIT}"), f"found {found}")
    check_files("cache", found)
    require(Path(found, "config.json").is_symlink(), "the snapshot is no link to a blob")
    check_files("plain", folder / "plain")
    left = [path.name for path in folder.rglob("*") if path.name.endswith((".incomplete", ".tmp"))]
    require(left == [], f"left behind: {left}")


main(save=save, check=check)
