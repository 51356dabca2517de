"""Trains versions from labelled documents; the web process never imports it, since it loads torch.

Start with `run`, one training run in its own process: `snapshot` (fetch the labelled tasks) → `build` (one version:
`split`, `fine_tuning`, `onnx`, `model_card`) → the gate. `review` looks for wrong labels: `snapshot` →
`cross_validation` → `label_issues`. `process` starts both from the worker; `progress` and `estimate` report how far a
run is, `faults` why it failed. `base_model` loads what training starts from; `acceleration` only makes it faster.
"""
