"""Where tests compute: on the CPU always, on a GPU where ONNX Runtime can."""

from __future__ import annotations

import pytest

from backend.inference.session import cuda_available

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not cuda_available(), reason="this ONNX Runtime has no CUDA provider"),
        ],
    ),
]
