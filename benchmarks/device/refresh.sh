#!/usr/bin/env bash
# refresh.sh FOLDER PARTS TF_PYTHON TORCH_PYTHON ONNXRT_PYTHON: convert the model by the present code and cut the parts
# anew. To be run after every change of src/inferometer/models: the cache's keys hold that code's checksum, and the
# other machine would have to convert again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$1 parts=$2
rm -rf "$folder/cache"
"${PYTHON:-python3}" "$here/models.py" "$folder" --python "tf=$3" "torch=$4" "onnxrt=$5"
"${PYTHON:-python3}" "$here/pack.py" "$folder" "$parts"
