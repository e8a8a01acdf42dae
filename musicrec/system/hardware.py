"""What this machine computes fast in."""

import ctypes
import platform
import time

import torch

from musicrec.errors import ConfigError

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def find_device(named: str | int, *, key: str) -> torch.device:
    """The device that a setting names; "auto" is the GPU where there is one.

    key: of the setting. Raises ConfigError for one that this machine does not have.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if named == "auto":
        return torch.device("cuda" if gpus else "cpu")
    try:
        device = torch.device(named)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"{key}={named}: choose auto, cpu, cuda, or one of several GPUs, as in {key}=cuda:1")
    if device.type == "cuda" and (device.index or 0) >= gpus:
        found = f"{gpus} of them, cuda:0 to cuda:{gpus - 1}" if gpus else "none"
        raise ConfigError(f"{key}={named}: no such GPU, as PyTorch finds {found} here; give {key}=cpu or {key}=auto")
    return device


def clock(device: torch.device) -> float:
    """Seconds on a clock, as soon as the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def check_accelerator(named: str) -> None:
    """Raises ConfigError where trainer.accelerator asks for a GPU and there is none."""
    if named in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"trainer.accelerator={named}: PyTorch finds no GPU here; give trainer.accelerator=cpu or "
            "trainer.accelerator=auto"
        )


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
