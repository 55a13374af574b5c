#!/bin/bash
# Runs on the lent machine, in the repository's root; benchmarks/README.md says when.
# Without arguments it takes in the part that came with the call; with arguments it then goes on
# with the ledger, by `python -m benchmarks.fullscale train ARGUMENTS`.
set -euo pipefail
here=/tmp/fullscale
mkdir -p "$here/parts" "$here/state"

# Moved: a part must not be unpacked again over what was trained since.
find workdir/fullscale/parts -type f -exec mv -t "$here/parts" {} + 2>/dev/null || true
there=("$here"/parts/*-of-*)
if [ -e "${there[0]}" ]; then
  wanted=$((10#${there[0]##*-of-}))
  if [ ${#there[@]} -eq "$wanted" ]; then
    cat "${there[@]}" | tar xz -C "$here"
    rm "${there[@]}"
    echo "all $wanted parts are unpacked"
  else
    echo "${#there[@]} of $wanted parts are here"
  fi
fi
[ $# -gt 0 ] || exit 0

# What is compiled in one call is found in the next.
export PYTHONPATH=$here/site KERAS_BACKEND=jax PYTHONUNBUFFERED=1
export JAX_COMPILATION_CACHE_DIR=$here/compiled
exec python3 -m benchmarks.fullscale train --data "$here"/data/* --state "$here/state" \
  --out "$OUT" "$@"
