#!/bin/sh
# Makes a fresh clone usable, and costs a second where it is so already: npm packages, the build in dist/ and, with
# --debian, the packages of debian-packages.txt. Nothing that is there is touched.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "kodomount: $*" >&2
  exit 1
}

command -v node >/dev/null || fail "node is missing: install Node 20.19 or later"
node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' \
  || fail "Node $(node --version) is too old: install Node 20.19 or later"

# npm writes its record of what is installed after the lock file, so a newer lock file means another install is due.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "kodomount: installing npm packages"
  npm ci --include=dev --no-audit --no-fund || fail "'npm ci' failed, see above"
fi

sh scripts/native.sh
node_modules/.bin/tsc -p tsconfig.json || fail "the build failed, see above"

[ "${1:-}" = --debian ] || exit 0
missing=""
while read -r package probe; do
  case $package in "" | \#*) continue ;; esac
  sh -c "$probe" >/dev/null 2>&1 </dev/null || missing="$missing $package"
done <scripts/debian-packages.txt
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || fail "not root: install what is missing with 'sudo apt-get install$missing'"
command -v apt-get >/dev/null || fail "this is no Debian: install what is missing yourself:$missing"
echo "kodomount: installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q || fail "'apt-get update' failed, see above"
# shellcheck disable=SC2086 # One word a package.
apt-get install -q -y --no-install-recommends $missing || fail "'apt-get install$missing' failed, see above"
