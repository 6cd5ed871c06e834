"""Continual modules as files: the step that a stream repeats, states explicit, as a program of torch.export or ONNX."""
