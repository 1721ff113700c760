#!/bin/sh
# Makes the virtual environment of the second suite's Python cases, outside of the tree: a gigabyte or two, which several
# clones share. Costs nothing where it is there already for these packages. Prints where its `python` is.
set -eu
cd "$(dirname "$0")/.."

VENV=${KODOMOUNT_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/kodomount/programs-venv}
STAMP=$VENV/kodomount-stamp

fail() {
  echo "kodomount: $*" >&2
  exit 1
}

# The first that can make environments and that the packages are there for.
find_python() {
  for candidate in /usr/bin/python3 python3; do
    if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or later with the module venv: install python3 and python3-venv"
}

install() {
  for tool in gcc readelf; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install gcc and binutils"
  done
  python=$(find_python)
  echo "kodomount: installing Python packages in $VENV, a minute or three" >&2
  rm -rf "$VENV"
  mkdir -p "$(dirname "$VENV")"
  "$python" -m venv "$VENV"
  "$VENV/bin/pip" install --quiet --no-deps --no-cache-dir --no-compile --disable-pip-version-check \
    -r scripts/python-packages.txt >&2 || fail "'pip install' failed, see above"
  "$VENV/bin/python" scripts/torch-cpu-stub.py >&2
  "$VENV/bin/python" -c 'import torch; assert not torch.cuda.is_available()' || fail "torch does not load"
}

wanted=$(cat scripts/python-packages.txt scripts/torch-cpu-stub.py | sha256sum)
if [ "$(cat "$STAMP" 2>/dev/null)" != "$wanted" ]; then
  # Another clone may be at it at the same moment.
  mkdir -p "$(dirname "$VENV")"
  exec 9>"$VENV.lock"
  flock 9
  if [ "$(cat "$STAMP" 2>/dev/null)" != "$wanted" ]; then
    install
    echo "$wanted" >"$STAMP"
  fi
fi
echo "$VENV/bin/python"
