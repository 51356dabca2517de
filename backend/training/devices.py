"""What a fine-tuning run computes on: the processes that share it, their device, and the precision it is good at."""

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
    """This process's ``device``, its ``rank`` among ``processes``, and whether it multiplies matrices in bfloat16."""

    device: torch.device
    rank: int
    processes: int
    bf16: bool

    @classmethod
    def detect(cls) -> Devices:
        """A GPU for each process where there is one, else the CPU; several processes under ``accelerate launch``.

        bfloat16 is used where the hardware has it: half the time on such a CPU, and the same F1.
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
        """Inside, matrix products are computed in bfloat16 where that is fast."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def share(self, batch: Sequence[int]) -> Sequence[int]:
        """This process's part of a batch; empty where the batch has fewer examples than there are processes."""
        return batch[self.rank :: self.processes]

    def sum_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Make every process's gradients the sum of all processes'."""
        if self.processes == 1:
            return
        for each in parameters:  # a process without an example in this batch has no gradients yet
            if each.grad is None:
                each.grad = torch.zeros_like(each)
        flat = torch.cat([each.grad.flatten() for each in parameters if each.grad is not None])
        distributed.all_reduce(flat)
        for each, summed in zip(parameters, flat.split([each.numel() for each in parameters]), strict=True):
            each.grad = summed.view_as(each)

    def sum(self, value: torch.Tensor) -> float:
        """The sum of a scalar over all processes."""
        if self.processes > 1:
            distributed.all_reduce(value)
        return float(value)


def processes() -> PartialState:
    """The processes that `accelerate launch` started together, this one alone where there was none."""
    return PartialState(cpu=not torch.accelerator.is_available())


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(flag) for flag in _BF16_FLAGS)
    return False
