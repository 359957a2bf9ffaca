#!/usr/bin/env bash
# Renews the model that ../h100.py measures, so that docs/results/h100.md can be measured with the present code.
# refresh.sh FOLDER VOLUMES TF_PYTHON TORCH_PYTHON ONNXRT_PYTHON: convert the model and cut the volumes anew. To be run after every change of src/inferometer/models: the cache's keys hold that code's checksum, and the
# other machine would have to convert again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 volumes=$2
rm -rf "$folder/cache"
"${PYTHON:-python3}" "$here/models.py" "$folder" --python "tf=$3" "torch=$4" "onnxrt=$5"
"${PYTHON:-python3}" "$here/pack.py" "$folder" "$volumes"
