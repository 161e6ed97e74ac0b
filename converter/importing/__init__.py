"""Networks of ONNX and PyTorch, read by their own tools in an environment of their own, and proven equal."""
