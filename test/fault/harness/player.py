# Plays operations, one JSON array on the first line of standard input, below the directory in argv[1]. Says `begin N` and
# waits for a line before each, says `end N` after it, and ends with `fail N ERRNO` at the first error.

import errno
import json
import os
import subprocess
import sys

root = sys.argv[1]
files = {}


def content(name, version, at, size):
    first, last = at // 64, -(-(at + size) // 64)
    lines = [(f"{name} v{version} @{i * 64} ".ljust(63, "."))[-63:] + "\n" for i in range(first, last)]
    return "".join(lines).encode()[at - first * 64 :][:size]


def play(op):
    path = lambda key="path": os.path.join(root, op[key])
    do = op["do"]
    if do == "mkdir":
        os.makedirs(path(), exist_ok=True)
    elif do == "create":
        private = op.get("private")
        flags = os.O_RDWR | os.O_CREAT | (os.O_EXCL if private else os.O_TRUNC)
        files[op["file"]] = os.open(path(), flags, 0o600 if private else 0o644)
    elif do == "open":
        files[op["file"]] = os.open(path(), os.O_RDWR | (os.O_APPEND if op.get("append") else 0))
    elif do == "write":
        data = content(op["name"], op["version"], op["at"], op["size"])
        done = 0
        while done < len(data):
            done += os.pwrite(files[op["file"]], data[done:], op["at"] + done)
    elif do == "truncate":
        os.ftruncate(files[op["file"]], op["size"])
    elif do == "fsync":
        os.fsync(files[op["file"]])
    elif do == "close":
        os.close(files.pop(op["file"]))
    elif do == "rename":
        os.rename(path("from"), path("to"))
    elif do == "unlink":
        os.unlink(path())
    elif do == "run":
        if subprocess.run(op["argv"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            raise OSError(errno.EIO, "the program failed")


for number, op in enumerate(json.loads(sys.stdin.readline())):
    print(f"begin {number}", flush=True)
    if not sys.stdin.readline():
        sys.exit(1)
    try:
        play(op)
    except OSError as error:
        print(f"fail {number} {errno.errorcode.get(error.errno, error.errno)}", flush=True)
        sys.exit(1)
    print(f"end {number}", flush=True)
