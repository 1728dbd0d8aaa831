"""A program as an ONNX model: one file, for onnxruntime on servers, in browsers and on phones."""
