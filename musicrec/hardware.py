"""What this machine computes fast in."""

import ctypes
import platform

import torch

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def best_precision(requested: str = "auto", *, accelerator: str = "auto") -> str:
    """A precision for Lightning's Trainer; "auto" is bf16 where the device has units for it.

    accelerator: as the Trainer takes it; "auto" is a GPU where there is one.

    A CPU without AMX emulates bf16: there it is slower than float32 (benchmarks/training.py).
    """
    if requested != "auto":
        return requested
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = accelerator in ("auto", "cpu") and torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if fast else "32-true"


def keep_freed_memory() -> None:
    """Let glibc keep what a training step frees for the next step, instead of asking the kernel again.

    By default it maps each large tensor anew, and the kernel clears every page of it, which slows training on a CPU.
    The process then holds the peak of its memory until it ends. Does nothing where the C library is another.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
