"""What this machine computes fast in."""

import torch


def best_precision(requested: str = "auto") -> str:
    """A precision for Lightning's Trainer; "auto" is bf16 where the device has units for it.

    A CPU without AMX emulates bf16: there it is slower than float32 (benchmarks/training.py).
    """
    if requested != "auto":
        return requested
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    return "bf16-mixed" if torch.cpu._is_amx_tile_supported() else "32-true"
