"""Devices: which one a setting means, the fast number format on it, and its clock."""

import functools
import math
import time

import torch

from musicrec.errors import ConfigError

_LEAST_SPEED_UP = 1.2  # units that help make convolutions about twice as fast; emulation makes them slower
_TIMINGS = 6


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

    Args:
        requested: A precision, which is returned as it is, or "auto" for bf16 where the device computes it fast.
        accelerator: As the Trainer takes it; "auto" is a GPU where there is one.
    """
    if requested != "auto":
        return requested
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = accelerator in ("auto", "cpu") and cpu_has_fast_bf16()
    return "bf16-mixed" if fast else "32-true"


def cpu_has_fast_bf16() -> bool:
    """Whether this CPU computes in bf16 faster than in float32: it has units for it, and a short timing agrees.

    A CPU without such units (AVX512-BF16 or AMX) emulates bf16, which is slower. The timing is there because units may
    be switched off, by a virtual machine or by the limits that oneDNN reads from the environment.
    """
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return False
    return bf16_speed_up() > _LEAST_SPEED_UP


@functools.cache
def bf16_speed_up() -> float:
    """Return how many times as fast as in float32 a convolution of usual size is in bf16 on the CPU.

    The two alternate, and the shortest time of each counts, so that other work on the machine changes little. It takes
    about a tenth of a second, once per process.
    """
    shortest = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        images, kernels = torch.randn(2, 128, 32, 64), torch.randn(128, 128, 3, 3)
        for _ in range(_TIMINGS):
            for dtype in shortest:
                image, kernel = (tensor.to(dtype, memory_format=torch.channels_last) for tensor in (images, kernels))
                begin = time.perf_counter()
                torch.nn.functional.conv2d(image, kernel, padding=1)
                shortest[dtype] = min(shortest[dtype], time.perf_counter() - begin)
    return shortest[torch.float32] / shortest[torch.bfloat16]
