"""The hardware of a fine-tuning run: its processes, their device, and the precision of their matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from accelerate import PartialState
from torch import distributed

_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")


@dataclass(frozen=True, slots=True)
class Devices:
    """This process's ``device``, its ``rank`` among ``processes``, and whether matrix products are in bfloat16."""

    device: torch.device
    rank: int
    processes: int
    bf16: bool

    @classmethod
    def detect(cls) -> Devices:
        """A GPU for each process if there is one, else the CPU; several processes under ``accelerate launch``.

        bfloat16 is used if the hardware supports it: on such a CPU it takes half the time, with the same F1.
        """
        state = processes()
        device = torch.device(state.device)
        return cls(device, state.process_index, state.num_processes, bf16=_has_bf16(device))

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type

    @property
    def precision(self) -> str:
        return "bf16" if self.bf16 else "fp32"

    def autocast(self) -> AbstractContextManager[None]:
        """Inside the block, matrix products are computed in bfloat16 if the hardware supports it."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def share(self, batch: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch; empty if the batch has fewer examples than there are processes."""
        return batch[self.rank :: self.processes]

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Replace the gradients by their sum over all processes."""
        if self.processes == 1:
            return
        for parameter in parameters:  # a process without an example in this batch has no gradients yet
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        distributed.all_reduce(flat)
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, summed in zip(parameters, flat.split(sizes), strict=True):
            parameter.grad = summed.view_as(parameter)

    def sum(self, value: torch.Tensor) -> float:
        """The sum of a scalar over all processes."""
        if self.processes > 1:
            distributed.all_reduce(value)
        return float(value)


def processes() -> PartialState:
    """The processes of one `accelerate launch`; without it, this one alone."""
    return PartialState(cpu=not torch.accelerator.is_available())


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(flag) for flag in _BF16_FLAGS)
    return False
