#!/usr/bin/env bash
# Receives what ../h100.py needs, so that docs/results/h100.md can be measured on a machine without a network.
# receive.sh VOLUMES/NN...: move received volumes out of the checkout, which the next transfer replaces.
set -euo pipefail
store=${INFEROMETER_VOLUMES:-/tmp/volumes}
mkdir -p "$store"
for volume in "$@"; do
  number=$(basename "$volume")
  rm -rf "${store:?}/$number"
  mv "$volume" "$store/$number"
done
echo "volumes here: $(ls "$store" | tr '\n' ' ')"
if [ -f /tmp/h100/background.log ]; then tail -n 3 /tmp/h100/background.log; fi
