#!/usr/bin/env bash
# receive.sh PARTS/NN...: move received parts out of the checkout, which the next transfer replaces.
set -euo pipefail
store=${INFEROMETER_PARTS:-/tmp/parts}
mkdir -p "$store"
for part in "$@"; do
  number=$(basename "$part")
  rm -rf "${store:?}/$number"
  mv "$part" "$store/$number"
done
echo "parts here: $(ls "$store" | tr '\n' ' ')"
if [ -f /tmp/h100/background.log ]; then tail -n 3 /tmp/h100/background.log; fi
