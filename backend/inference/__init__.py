"""Serving: texts in, labelled spans out, with ONNX Runtime and without torch."""
