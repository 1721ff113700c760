#!/bin/sh
# Builds the addon in native/build, where there is a C compiler and Node's headers. Without it everything works, only that
# uploads keep the system's congestion control: so its absence is said, and is no failure.
set -eu
cd "$(dirname "$0")/.."

out=native/build/congestion.node
[ ! -f "$out" ] || [ native/congestion.c -nt "$out" ] || exit 0
include=$(node -p 'require("path").join(process.execPath, "../../include/node")')
if ! command -v cc >/dev/null || [ ! -f "$include/node_api.h" ]; then
  echo "kodomount: no C compiler, or no headers of Node in $include: uploads keep the system's congestion control"
  exit 0
fi
mkdir -p native/build
cc -O2 -Wall -Wextra -fPIC -shared -DNODE_GYP_MODULE_NAME=congestion -I "$include" -o "$out.$$" native/congestion.c \
  && mv "$out.$$" "$out" || {
  rm -f "$out.$$"
  echo "kodomount: the addon cannot be built, see above: uploads keep the system's congestion control"
}
