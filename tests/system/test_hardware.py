"""Devices of every kind: which one is meant, and the precision that "auto" means there."""

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.system import hardware
from musicrec.system.hardware import best_precision, bf16_speed_up, check_accelerator, find_device


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch):
    """Let this machine be another.

    emulated: bf16 that the GPU computes without units for it. times: how many times as fast bf16 is on the CPU.
    """

    def pretend(
        *,
        gpu: bool,
        gpu_bf16: bool = False,
        emulated: bool = False,
        amx: bool = False,
        avx512: bool = False,
        times: float = 1.9,
    ) -> None:
        def supported(including_emulation: bool = True) -> bool:
            return gpu_bf16 or (emulated and including_emulation)

        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
        monkeypatch.setattr(hardware, "bf16_speed_up", lambda: times)

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
        ({"gpu": False, "avx512": True}, "auto", "bf16-mixed"),
        ({"gpu": False, "avx512": True}, "cpu", "bf16-mixed"),
        ({"gpu": False, "avx512": True, "amx": True, "times": 0.4}, "auto", "32-true"),
        ({"gpu": True, "avx512": True}, "auto", "32-true"),
        ({"gpu": False}, "auto", "32-true"),
    ],
)
def test_auto_is_bf16_where_the_chosen_device_has_units_for_it(device, machine, accelerator, precision):
    device(**machine)
    assert best_precision(accelerator=accelerator) == precision


def test_the_timing_of_bf16_leaves_random_numbers_alone():
    before = torch.get_rng_state()
    bf16_speed_up.cache_clear()
    assert 0.01 < bf16_speed_up() < 100
    assert bf16_speed_up.cache_info().currsize == 1 and torch.equal(before, torch.get_rng_state())


def test_a_precision_that_is_asked_for_is_taken(device):
    device(gpu=True, gpu_bf16=True, amx=True)
    assert best_precision("32-true") == "32-true"
    assert best_precision("16-mixed", accelerator="cpu") == "16-mixed"


@pytest.mark.parametrize(
    ("gpus", "named", "message"),
    [
        (0, "cuda", "k=cuda: no such GPU, as PyTorch finds none here; give k=cpu or k=auto"),
        (0, "cuda:1", "k=cuda:1: no such GPU, as PyTorch finds none here"),
        (2, "cuda:2", "k=cuda:2: no such GPU, as PyTorch finds 2 of them, cuda:0 to cuda:1 here"),
        (1, "gpu", "k=gpu: choose auto, cpu, cuda, or one of several GPUs, as in k=cuda:1"),
        (1, "meta", "k=meta: choose auto, cpu, cuda"),
    ],
)
def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, gpus: int, named: str, message: str):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(ConfigError, match=message):
        find_device(named, key="k")
    assert find_device("auto", key="k").type == ("cuda" if gpus else "cpu")
    assert find_device("cpu", key="k") == torch.device("cpu")
    assert not gpus or find_device(f"cuda:{gpus - 1}", key="k").index == gpus - 1


def test_an_accelerator_that_is_not_there_is_named(device):
    device(gpu=True)
    check_accelerator("gpu")
    device(gpu=False)
    check_accelerator("auto")
    check_accelerator("cpu")
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu: PyTorch finds no GPU here"):
        check_accelerator("gpu")
