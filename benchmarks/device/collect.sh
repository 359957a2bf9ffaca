#!/usr/bin/env bash
# Collects what ../h100.py needs, so that docs/results/h100.md can be measured on a machine without a network.
# collect.sh FOLDER: everything that machine lacks, as compressed site folders for Python 3.12 on x86-64.
# Pins as in src/inferometer/frameworks/pins/tf/cuda12.txt. NCCL and cuRAND are left out: one GPU and no random numbers need neither.
set -euo pipefail
folder=$1
mkdir -p "$folder/root"
cd "$folder"

fetch() { # SITE PIN...
  local site=$1
  shift
  mkdir -p "wheels/$site" "root/$site"
  python3 -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version 3.12 \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux_2_24_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform manylinux1_x86_64 \
    --dest "wheels/$site" "$@"
  for wheel in "wheels/$site"/*.whl; do unzip -q -o "$wheel" -d "root/$site"; done
}

fetch core click filelock jinja2 msgspec nvidia-ml-py paho-mqtt pillow platformdirs plotly psutil rich \
  markdown-it-py mdurl pygments narwhals packaging markupsafe
fetch keras keras==3.15.1 namex optree rich markdown-it-py mdurl pygments absl-py ml_dtypes==0.5.4 packaging \
  typing_extensions
fetch ort onnxruntime-gpu==1.31.1
fetch tf tensorflow==2.21.0 keras==3.15.1 numpy==2.4.6 h5py==3.14.0 ml_dtypes==0.5.4 protobuf==6.33.5 'wrapt<3' \
  setuptools==80.9.0 absl-py astunparse flatbuffers gast google_pasta opt_einsum packaging six termcolor \
  typing_extensions grpcio requests charset-normalizer idna urllib3 certifi namex optree rich markdown-it-py mdurl \
  pygments nvidia-cublas-cu12==12.5.3.2 nvidia-cuda-cupti-cu12==12.5.82 nvidia-cuda-nvcc-cu12==12.6.85 \
  nvidia-cuda-nvrtc-cu12==12.5.82 nvidia-cuda-runtime-cu12==12.5.82 nvidia-cudnn-cu12==9.28.0.42 \
  nvidia-nvjitlink-cu12==12.5.82
# TensorFlow asks that these three can be opened, and a convolutional network calls none of them: see below
fetch tfrest nvidia-cufft-cu12==11.2.3.61 nvidia-cusolver-cu12==11.6.3.83 nvidia-cusparse-cu12==12.5.1.3

# ... so that empty libraries of their names do, where the real ones are not worth their transfer
mkdir -p root/stubs
for name in libcufft.so.11 libcusolver.so.11 libcusparse.so.12; do
  gcc -shared -nostdlib -x c /dev/null "-Wl,-soname,$name" -o "root/stubs/$name"
done

rm -rf root/tf/tensorflow/include root/*/nvidia/*/include root/tfrest/nvidia/cusolver/lib/libcusolverMg*
for site in core keras ort tf tfrest; do
  with=""
  [ "$site" = core ] && with=stubs
  tar --sort=name -C root -cf - "$site" $with | nice -n 19 zstd -12 --long=27 -T1 -q -f -o "$site.tar.zst"
done
ls -l ./*.tar.zst
