"""The precision that "auto" means, on devices of every kind."""

import pytest
import torch

from musicrec.hardware import best_precision, keep_freed_memory


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch):
    """Let this machine be another. emulated: bf16 that the GPU computes without units for it."""

    def pretend(*, gpu: bool, gpu_bf16: bool = False, emulated: bool = False, amx: bool = False) -> None:
        def supported(including_emulation: bool = True) -> bool:
            return gpu_bf16 or (emulated and including_emulation)

        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)

    return pretend


@pytest.mark.parametrize(
    ("machine", "accelerator", "precision"),
    [
        ({"gpu": True, "gpu_bf16": True}, "auto", "bf16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "gpu", "bf16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "cuda", "bf16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "cpu", "32-true"),
        ({"gpu": True, "gpu_bf16": True, "amx": True}, "cpu", "bf16-mixed"),
        ({"gpu": True, "emulated": True}, "auto", "32-true"),
        ({"gpu": True, "emulated": True, "amx": True}, "auto", "32-true"),
        ({"gpu": False, "amx": True}, "auto", "bf16-mixed"),
        ({"gpu": False, "amx": True}, "mps", "32-true"),
        ({"gpu": False}, "auto", "32-true"),
    ],
)
def test_auto_is_bf16_where_the_chosen_device_has_units_for_it(device, machine, accelerator, precision):
    device(**machine)
    assert best_precision(accelerator=accelerator) == precision


def test_a_precision_that_is_asked_for_is_taken(device):
    device(gpu=True, gpu_bf16=True, amx=True)
    assert best_precision("32-true") == "32-true"
    assert best_precision("16-mixed", accelerator="cpu") == "16-mixed"


def test_memory_setting_is_for_glibc_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no glibc, nothing to call"))
    keep_freed_memory()
