"""Parts that disagree are refused, and descriptions of models are compared by the settings that they build."""

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.export.compatibility import check_chunk, check_parts, first_difference
from musicrec.export.description import build, describe
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.keys import PITCH_CLASSES
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.harmonic_cnn import HarmonicCNN
from musicrec.models.key_net import KeyNet
from musicrec.models.sample_cnn import SampleCNN
from musicrec.models.short_chunk_cnn import ShortChunkCNN
from musicrec.models.short_chunk_resnet import ShortChunkResNet
from musicrec.models.tempo_net import TempoNet

MEL, LOG = MelSpectrogram(n_mels=48), LogFrequencySpectrogram()
TONICS = KeyHead(modes=False, order=PITCH_CLASSES[1:] + PITCH_CLASSES[:1])


def outputs(head) -> dict[str, int]:
    return {head.name: len(head.classes)}


@pytest.mark.parametrize(
    ("head", "settings", "message"),
    [
        (
            TempoHead(min_bpm=40.0),
            {},
            r"^task\.heads\.tempo has min_bpm=40\.0, .*, but the model has min_bpm=30\.0, .*remove",
        ),
        (TempoHead(classes_per_octave=60), {}, r"classes_per_octave=60, .* model .*classes_per_octave=36"),
        (TempoHead(), {"min_bpm": 45.0}, r"remove model\.min_bpm"),
        (TempoHead(edges_bpm=(60, 90, 120)), {}, r"edges_bpm=\(60, 90, 120\)"),
        (ClassHead(name="tempo", column="genre", classes=("slow", "fast")), {}, r"min_bpm=None"),
    ],
)
def test_refuses_a_tempo_axis_that_differs_from_the_head(head, settings, message):
    with pytest.raises(ConfigError, match=message):
        check_parts(TempoNet(outputs(head), width=4, **settings), [head], MEL)


def test_accepts_parts_that_agree():
    head = TempoHead(min_bpm=45, max_bpm=255.0, classes_per_octave=60)
    check_parts(TempoNet(outputs(head), width=4, min_bpm=45.0, classes_per_octave=60), [head], MEL)
    other = TempoHead(name="speed", edges_bpm=(60, 90, 120))  # answered by a linear layer
    check_parts(TempoNet(outputs(other), width=4), [other], MEL)
    check_parts(KeyNet(outputs(KeyHead()), width=4), [KeyHead()], LOG)
    check_parts(ShortChunkResNet(outputs(TONICS), width=4, n_mels=48), [TONICS], MEL)


def test_refuses_a_key_network_with_keys_in_another_order():
    with pytest.raises(ConfigError, match=r"^task\.heads\.key has the classes Db, D, .*remove task\.heads\.key\."):
        check_parts(KeyNet(outputs(TONICS), width=4), [TONICS], LOG)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (TempoNet({"tags": 2}, width=4, n_mels=32), r"frontend\.n_mels=48: the network takes 32; set model\.n_mels"),
        (TempoNet({"tags": 2}, width=4, hop_length=512), r"hop_length=256: .* takes 512; leave out model\.hop_length"),
        (KeyNet({"tags": 2}, width=4, n_mels=48, bands_per_octave=12), r"frontend\.bands_per_octave=None: .*takes 12"),
    ],
)
def test_refuses_a_network_with_settings_of_another_front_end(network, message):
    with pytest.raises(ConfigError, match=message):
        check_parts(network, [], MEL)


@pytest.mark.parametrize(
    ("network", "needed"),
    [(HarmonicCNN({"tags": 2}, width=4, n_mels=48), "linear"), (SampleCNN({"tags": 2}, width=4), "waveform")],
)
def test_refuses_the_front_end_of_other_networks(network, needed):
    with pytest.raises(ConfigError, match=rf"^frontend=mel: .*; add frontend={needed}$"):
        check_parts(network, [], MelSpectrogram(n_mels=network.n_mels))


def test_tries_one_chunk():
    network = ShortChunkCNN({"tags": 2}, width=4, chunk_samples=16_000).train()
    with pytest.raises(ConfigError, match=r"^model\.chunk_samples=16000: .* at least 128 frames, not 63"):
        check_chunk(network, MelSpectrogram(n_mels=128))
    network = ShortChunkCNN({"tags": 2}, width=4).train()
    before = network.input_norm.running_mean.clone()
    check_chunk(network, MelSpectrogram(n_mels=128))
    assert network.training and network.input_norm.training
    assert torch.equal(network.input_norm.running_mean, before)


def test_names_the_first_difference_with_both_values():
    heads = [KeyHead(), ClassHead(name="genre", column="genre", classes=("jazz", "rock"))]
    network = ShortChunkResNet({"key": 24, "genre": 2}, width=4, n_mels=48)
    ours = describe(network, heads, MEL)
    assert first_difference(ours, ours) is None
    other = [heads[0], ClassHead(name="genre", column="genre", classes=("jazz", "pop"))]
    assert first_difference(describe(network, other, MEL), ours) == ("heads[genre].classes[1]", "pop", "rock")
    wider = ShortChunkResNet({"key": 24, "genre": 2}, width=8, n_mels=48)
    assert first_difference(describe(wider, heads, MEL), ours) == ("network.settings.width", 8, 4)
    fewer = first_difference(describe(network, heads[:1], MEL), ours)
    assert fewer == ("heads[genre].class", "absent", "ClassHead")


def test_a_setting_added_after_the_export_has_its_default():
    ours = describe(ShortChunkResNet({"key": 24}, width=4, n_mels=48), [KeyHead()], MEL)
    older = describe(*build(ours))
    del older["network"]["settings"]["dropout"], older["heads"][0]["order"], older["frontend"]["f_max"]
    assert first_difference(older, ours) is not None
    assert first_difference(describe(*build(older)), ours) is None


def test_constants_of_a_tempo_network_follow_its_device_and_stay_exact():
    network = TempoNet({"tempo": len(TempoHead().classes)}, width=4).eval()
    decibels = 20 * torch.randn(1, 1, 48, 100) - 40
    expected, hertz = network.tempogram(decibels), network.hertz
    assert {"steps", "starts", "position", "waves"} <= dict(network.named_buffers()).keys()
    assert not {"steps", "starts", "position", "waves"} & network.state_dict().keys()
    network.to(torch.bfloat16)
    assert torch.equal(network.hertz, hertz) and torch.equal(network.tempogram(decibels), expected)
    assert network.to("meta").hertz.is_meta
