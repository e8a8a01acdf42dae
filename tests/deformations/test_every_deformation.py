"""What every deformation of conf/deformation must do, and that each class has a file there."""

import inspect
import math
from pathlib import Path

import pytest
import soundfile
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import instantiate
from omegaconf import OmegaConf

from musicrec.config.class_lookup import find_classes
from musicrec.config.targets import TARGETS
from musicrec.deformations.sweep import Sweep

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "deformation").glob("*.yaml") if path.stem != "all")
SAMPLES = 12_000
LABELS_MOVE = {"pitch_shift", "time_stretch", "resample"}


@pytest.fixture(scope="module")
def noises(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noises")
    for number in range(3):
        generator = torch.Generator().manual_seed(number)
        soundfile.write(folder / f"{number}.wav", torch.randn(9_000, generator=generator).numpy() / 10, 16_000)
    return folder


@pytest.fixture
def sweep(request: pytest.FixtureRequest, noises: Path) -> Sweep:
    config = OmegaConf.load(CONF / "deformation" / f"{request.param}.yaml")[request.param]
    if request.param == "folder_noise":
        config.deformation.folder = str(noises)
    return instantiate(config, _execution_whitelist_=TARGETS)


@pytest.mark.parametrize("sweep", NAMES, indirect=True)
def test_an_example_gets_the_same_in_any_batch(sweep: Sweep, deform, request):
    """Alone, and among others in another order; also the shapes, the device's types, and that the input stays."""
    generator = torch.Generator().manual_seed(1)
    mildest, *_, harshest = [*sweep, *sweep]
    for strength, deformation in (mildest, harshest):
        samples = math.ceil(SAMPLES * deformation.input_ratio) + 1
        batch = torch.randn(3, samples, generator=generator).cumsum(dim=1) / 400
        before, seeds = batch.clone(), [11, 22, 33]
        together = deform(deformation, batch, SAMPLES, seeds)
        assert torch.equal(batch, before)
        assert together.waveform.shape == (3, SAMPLES) and together.waveform.dtype == torch.float32
        assert together.waveform.isfinite().all()
        assert together.shift_semitones.shape == together.tempo_ratio.shape == (3,)
        assert not torch.equal(together.waveform, batch[:, :SAMPLES]), f"{strength}: nothing happened"
        alone = deform(deformation, batch[1], SAMPLES, seeds[1:2])
        torch.testing.assert_close(alone.waveform[0], together.waveform[1], rtol=1e-4, atol=1e-5)
        turned = deform(deformation, batch.flip(0), SAMPLES, seeds[::-1])
        torch.testing.assert_close(turned.waveform.flip(0), together.waveform, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(turned.tempo_ratio.flip(0), together.tempo_ratio)


@pytest.mark.parametrize("sweep", NAMES, indirect=True)
def test_silence_gives_no_nan(sweep: Sweep, deform):
    _, deformation = list(sweep)[-1]
    assert (
        deform(deformation, torch.zeros(2, math.ceil(4000 * deformation.input_ratio)), 4000).waveform.isfinite().all()
    )


@pytest.mark.parametrize("sweep", NAMES, indirect=True)
def test_only_those_that_say_so_move_labels(sweep: Sweep, deform, request):
    moves = set()
    for _, deformation in sweep:
        result = deform(deformation, torch.zeros(1, math.ceil(500 * deformation.input_ratio)), 500)
        moves.add((float(result.shift_semitones), float(result.tempo_ratio)))
    name = request.node.callspec.params["sweep"]
    if moves != {(0.0, 1.0)}:
        assert name in LABELS_MOVE, (
            f'{name} moves labels: add "{name}" to tests/deformations/test_every_deformation.py (in LABELS_MOVE)'
        )
    assert name not in LABELS_MOVE or len(moves) == len(sweep), "every strength moves the labels elsewhere"


@pytest.mark.parametrize("sweep", NAMES, indirect=True)
def test_what_sounds_stays_in_its_time_where_a_deformation_says_so(sweep: Sweep, deform, request):
    """Bursts of noise every 0.3 to 0.5 s: the lag at which the onsets fit best is that of labels, which is none."""
    generator = torch.Generator().manual_seed(3)
    times_s = torch.cumsum(0.3 + 0.2 * torch.rand(9, generator=generator), dim=0)
    lags_s = torch.arange(-0.2, 0.2005, 0.004)
    found = []
    for _, deformation in sweep:
        samples = int(4.5 * 16_000 / min(1.0, deformation.input_ratio))
        waveform = torch.zeros(math.ceil(samples * max(1.0, deformation.input_ratio)) + 1)
        for first in (times_s * 16_000).round().long().tolist():
            burst = torch.randn(4000, generator=generator) * torch.exp(-torch.arange(4000) / 800)
            waveform[first : first + 4000] += 0.2 * burst[: len(waveform) - first]
        result = deform(deformation, waveform, samples)
        energy = torch.nn.functional.pad(result.waveform[0], (64, 64)).unfold(0, 128, 64).square().mean(dim=1)
        onsets = energy.diff(prepend=energy[:1]).clamp(min=0)
        places = (times_s / result.tempo_ratio + lags_s[:, None]) * 16_000 / 64
        near = places.round().long()[..., None] + torch.arange(-2, 3)
        found.append(float(lags_s[onsets[near.clamp(0, len(onsets) - 1)].sum(dim=(1, 2)).argmax()]))
    stays = max(map(abs, found)) <= 0.02
    assert stays == getattr(deformation, "keeps_time", True), f"{request.node.callspec.params['sweep']}: lags {found} s"


def test_all_composes_and_leaves_out_only_what_needs_a_folder():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF)):
        names = set(compose("train", overrides=["+deformation=all"]).deformation)
        missing = [f'add "  - {name}" to conf/deformation/all.yaml' for name in set(NAMES) - names - {"folder_noise"}]
        assert not missing, "\n".join(missing)
        assert names <= set(NAMES) and "folder_noise" not in names and len(names) >= 21
        chosen = compose("train", overrides=["+deformation=[mp3,gain]", "deformation.gain.strengths=[3]"]).deformation
    assert set(chosen) == {"mp3", "gain"}
    assert [float(strength) for strength, _ in instantiate(chosen.gain, _execution_whitelist_=TARGETS)] == [3]


def test_every_class_has_a_file():
    wanted = {
        f"{cls.__module__}.{name}"
        for name, cls in find_classes("musicrec.deformations").items()
        if "seeds" in inspect.signature(cls.__call__).parameters
    } - {
        f"musicrec.deformations.{name}"
        for name in ("base.Deformation", "sometimes.Sometimes", "resample.RandomResample")
    }
    there = {OmegaConf.load(CONF / "deformation" / f"{name}.yaml")[name].deformation._target_ for name in NAMES}
    missing = [f"{target}: add a file to conf/deformation that builds it" for target in sorted(wanted - there)]
    assert not missing, "\n".join(missing)
    assert there == wanted and len(there) >= 17


def test_a_sweep_goes_through_its_strengths():
    config = OmegaConf.load(CONF / "deformation" / "white_noise.yaml").white_noise
    sweep = instantiate(config, _execution_whitelist_=TARGETS)
    assert (sweep.title, sweep.unit, len(sweep)) == ("white noise", "dB SNR", 4)
    assert [(strength, deformation.snr_db) for strength, deformation in sweep] == [
        (30, (30, 30)), (20, (20, 20)), (10, (10, 10)), (0, (0, 0)),
    ]  # fmt: skip
    assert {deformation.colour for _, deformation in sweep} == {"white"}
    assert [strength for strength, _ in Sweep(title="plain", deformation=dict)] == [None]
