"""Kinds of model file that are known and cannot be measured, and how each is turned into one that can."""

from __future__ import annotations

# completes "FILE is ..."
CONVERSIONS = {
    ".pb": "a frozen TensorFlow graph; save the model as a SavedModel folder, or as ONNX with tf2onnx --graphdef",
    ".meta": "a TensorFlow 1 checkpoint; save the model as a SavedModel folder",
    ".mlmodel": "a Core ML model; give the model that it was made from",
    ".mlpackage": "a Core ML model; give the model that it was made from",
    ".engine": "a TensorRT engine, built for one GPU; give the ONNX file that it was made from",
    ".plan": "a TensorRT engine, built for one GPU; give the ONNX file that it was made from",
    ".trt": "a TensorRT engine, built for one GPU; give the ONNX file that it was made from",
    ".xml": "an OpenVINO model; give the ONNX, TensorFlow or PyTorch model that it was made from",
    ".pdmodel": "a PaddlePaddle model; convert it with paddle2onnx",
    ".pdiparams": "PaddlePaddle weights; convert the model with paddle2onnx",
    ".caffemodel": "a Caffe model; convert it to ONNX",
    ".prototxt": "a Caffe model; convert it to ONNX",
    ".param": "an ncnn model; give the ONNX or PyTorch model that it was made from",
    ".mnn": "an MNN model; give the ONNX file that it was made from",
    ".pte": "an ExecuTorch program; give the PyTorch model that it was made from",
    ".gguf": "a llama.cpp model: text generation is not what inferometer measures",
    ".ggml": "a llama.cpp model: text generation is not what inferometer measures",
    ".pkl": "a Python pickle, which runs code when it is read; save a PyTorch model as .pt2, another as ONNX",
    ".joblib": "a Python pickle, which runs code when it is read; save a scikit-learn model as ONNX with skl2onnx",
    ".msgpack": "Flax weights; export the model with jax2tf as a SavedModel folder",
    ".npz": "an archive of arrays, no model; inputs are given by --input",
    ".npy": "an array, no model; inputs are given by --input",
}
