#!/bin/sh
# `npm run demo [-- --keep]`: all set-up, then the story of demo.ts. Works before `npm ci` was run.
cd "$(dirname "$0")/.." || exit 1
sh scripts/setup.sh || exit 1
exec node --import tsx scripts/demo.ts "$@"
