"""ONNX operators as torch code: one file a group."""
