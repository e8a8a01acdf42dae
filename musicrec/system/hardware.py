"""Devices: which one a setting means, the fast number format on it, and its clock."""

import time

import torch

from musicrec.errors import ConfigError


def find_device(named: str | int, *, key: str) -> torch.device:
    """Return the device that a setting names.

    Args:
        named: The value of the setting: "cpu", "cuda", "cuda:1" …, or "auto" for a GPU where there is one.
        key: The setting, for the message.

    Raises:
        ConfigError: This machine has no such device.
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
    """Wait until a device has finished its work, and return the time of a clock in seconds."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def check_accelerator(named: str) -> None:
    """Check that there is a GPU if trainer.accelerator asks for one.

    Raises:
        ConfigError: There is none.
    """
    if named in ("gpu", "cuda") and not torch.cuda.is_available():
        raise ConfigError(
            f"trainer.accelerator={named}: PyTorch finds no GPU here; give trainer.accelerator=cpu or "
            "trainer.accelerator=auto"
        )


def best_precision(requested: str = "auto", *, accelerator: str = "auto") -> str:
    """Return a precision for Lightning's Trainer.

    A CPU without AMX emulates bf16, which is slower than float32 there (benchmarks/training.py).

    Args:
        requested: A precision, which is returned as it is, or "auto" for bf16 where the device has units for it.
        accelerator: As the Trainer takes it; "auto" is a GPU where there is one.
    """
    if requested != "auto":
        return requested
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = accelerator in ("auto", "cpu") and torch.cpu._is_amx_tile_supported()
    return "bf16-mixed" if fast else "32-true"
