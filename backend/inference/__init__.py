"""Inference: finds labelled spans in texts with ONNX Runtime, without torch."""
