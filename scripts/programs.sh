#!/bin/sh
# `npm run test:programs`: the second suite, in which programs of others save into a mount. Installs the programs
# (programs-packages.txt; python.sh for the libraries of Python), and runs their cases. What cannot be installed lets its
# cases fail, and no others. The last line is `N passed, N failed[, N skipped]`.
cd "$(dirname "$0")/.." || exit 1

if ! sh scripts/setup.sh; then
  echo "0 passed, 1 failed"
  exit 1
fi

missing=""
while read -r package probe; do
  case $package in "" | \#*) continue ;; esac
  sh -c "$probe" >/dev/null 2>&1 </dev/null || missing="$missing $package"
done <scripts/programs-packages.txt
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "kodomount: installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q || echo "kodomount: 'apt-get update' failed, see above" >&2
  # shellcheck disable=SC2086 # One word a package.
  apt-get install -q -y --no-install-recommends $missing \
    || echo "kodomount: 'apt-get install$missing' failed, see above: cases of these programs will fail" >&2
elif [ -n "$missing" ]; then
  echo "kodomount: missing, and only root can install them here:$missing" >&2
fi
if [ -f scripts/python.sh ]; then
  sh scripts/python.sh || echo "kodomount: Python libraries are missing, see above: their cases will fail" >&2
fi
exec node --import tsx scripts/gate.ts programs
