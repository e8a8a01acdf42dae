"""Gain, clipping, polarity, DC offset, crop position, dropped samples, and what only some examples undergo."""

import pytest
import torch

from musicrec.deformations.base import seed_of
from musicrec.deformations.clipping import Clipping
from musicrec.deformations.crop import Crop
from musicrec.deformations.dc_offset import DCOffset
from musicrec.deformations.dropped_samples import DroppedSamples
from musicrec.deformations.gain import Gain
from musicrec.deformations.polarity import PolarityInversion
from musicrec.deformations.resample import Resample
from musicrec.deformations.sometimes import Sometimes
from musicrec.errors import ConfigError


def test_gain(deform):
    waveform = torch.tensor([0.1, -0.2, 0.3])
    torch.testing.assert_close(deform(Gain(gain_db=20), waveform).waveform[0], 10 * waveform)
    torch.testing.assert_close(deform(Gain(gain_db=-6.0206), waveform).waveform[0], waveform / 2)


def test_clipping_keeps_the_peak_and_cuts_what_is_driven_above(tone, deform):
    clipped = deform(Clipping(drive_db=6.0206), tone(100, 16_000, 0.4)).waveform[0]
    assert float(clipped.abs().max()) == pytest.approx(0.4)
    # A sine is above half its amplitude for two thirds of the time.
    assert float((clipped.abs() > 0.3999).float().mean()) == pytest.approx(2 / 3, abs=0.01)
    quiet = tone(100, 16_000, 0.4).abs() < 0.19
    torch.testing.assert_close(clipped[quiet], 2 * tone(100, 16_000, 0.4)[quiet])


def test_polarity_and_offset(deform):
    waveform = torch.tensor([0.1, -0.2, 0.3])
    assert torch.equal(deform(PolarityInversion(), waveform).waveform[0], -waveform)
    torch.testing.assert_close(deform(DCOffset(offset=-0.05), waveform).waveform[0], waveform - 0.05)


def test_a_crop_begins_later_and_goes_on_with_what_there_is(deform):
    ramp = torch.arange(48_000) / 48_000
    longer = deform(Crop(offset_s=1.0), ramp, 20_000).waveform[0]
    assert torch.equal(longer, ramp[16_000:36_000])
    whole = deform(Crop(offset_s=2.0), ramp).waveform[0]
    assert torch.equal(whole, torch.cat([ramp[32_000:], ramp[:32_000]]))
    starts = deform(Crop(offset_s=[0.0, 1.0]), ramp.expand(50, -1), 20_000).waveform[:, 0] * 3
    assert starts.min() < 0.1 and starts.max() > 0.9 and starts.max() <= 1


def test_dropped_samples_are_gaps_of_their_length_and_as_many_as_asked_for(deform):
    kept = deform(DroppedSamples(dropped_share=0.2, gap_ms=20.0), torch.ones(20, 160_000)).waveform
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    assert float(1 - kept.mean()) == pytest.approx(0.2, abs=0.02)
    edges = kept[0].diff().nonzero().squeeze(1)
    assert (edges.diff() % 320 == 0).all() and int(edges[0]) % 320 != int(kept[1].diff().nonzero()[0]) % 320
    single = deform(DroppedSamples(dropped_share=0.5, gap_ms=0), torch.ones(1, 50_000)).waveform
    assert float(single.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(single.diff().abs().mean()) == pytest.approx(0.5, abs=0.01)


def test_sometimes_deforms_some_and_their_labels_only(deform):
    often = Sometimes(deformation=Resample(shift_semitones=3), probability=0.25)
    batch = torch.randn(200, 1300)
    result = deform(often, batch, 1000)
    moved = result.shift_semitones != 0
    assert float(moved.float().mean()) == pytest.approx(0.25, abs=0.08)
    assert (result.shift_semitones[moved] == 3).all() and (result.tempo_ratio[moved] > 1.18).all()
    assert (result.tempo_ratio[~moved] == 1).all()
    assert torch.equal(result.waveform[~moved], batch[~moved, :1000])
    alone = deform(often, batch[7:8], 1000, seeds=[seed_of(0, 7)])
    torch.testing.assert_close(alone.waveform[0], result.waveform[7])
    never = Sometimes(deformation=Resample(shift_semitones=-3), probability=0.0)
    assert never.input_ratio == 1.0 and torch.equal(deform(never, batch, 1000).waveform, batch[:, :1000])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Sometimes(deformation=Gain(), probability=2), "probability=2: give a number from 0 to 1"),
        (lambda: DroppedSamples(dropped_share=1.5), "dropped_share=1.5"),
        (lambda: DroppedSamples(gap_ms=-1), "gap_ms=-1"),
        (lambda: Clipping(drive_db=-3), "drive_db=-3"),
        (lambda: Crop(offset_s=[3, 1]), "offset_s="),
    ],
)
def test_mistakes_are_named(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
