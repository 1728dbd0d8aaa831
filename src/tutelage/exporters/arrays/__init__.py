"""Networks of several arrays, or whose answers have positions, as ONNX files that are proven equal."""
