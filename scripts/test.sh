#!/bin/sh
# `npm test`: all set-up, then every check and every level of tests. Works before `npm ci` was run, hence no TypeScript
# here. The last line is `N passed, N failed[, N skipped]`, whatever happens.
cd "$(dirname "$0")/.." || exit 1
if ! sh scripts/setup.sh --debian; then
  echo "0 passed, 1 failed"
  exit 1
fi
exec node --import tsx scripts/gate.ts all
