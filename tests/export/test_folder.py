"""Exports: a round trip keeps the answers, damage gets one message, and loading never executes code."""

import dataclasses
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import musicrec
from musicrec.errors import AudioError, ConfigError, ExportError
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.checkpoint import read_checkpoint
from musicrec.export.description import build, describe
from musicrec.export.folder import read_export, write_export
from musicrec.heads.classes import ClassHead
from musicrec.heads.key import KeyHead
from musicrec.heads.tags import TagHead
from musicrec.heads.tempo import TempoHead
from musicrec.models.frontends.log_frequency import LogFrequencySpectrogram
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.short_chunk_resnet import ShortChunkResNet

HEADS = [
    ClassHead(name="genre", column="genre", classes=("jazz", "rock"), role="tag"),
    TagHead(name="instruments", columns=("instruments",), classes=("bass", "drums", "piano")),
    KeyHead(),
    TempoHead(classes_per_octave=12),
]


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = ShortChunkResNet({head.name: len(head.classes) for head in HEADS}, width=8, n_mels=128)
    for module in net.modules():  # statistics unlike those of a new network
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
    return net.eval()


@pytest.fixture
def export(network, tmp_path):
    return write_export(
        tmp_path / "export",
        network=network,
        heads=HEADS,
        frontend=MelSpectrogram(n_mels=128),
        metrics={"test": {"key/accuracy": 0.5, "key/mirex": float("nan")}},
        data={"manifest": "manifest.csv", "tracks": {"train": 3}},
        licence="CC0",
    )


def test_analyzer_answers_as_the_network(export, network):
    chunks = np.random.default_rng(0).normal(0, 0.1, (3, 59_049)).astype("float32")
    answers = TrackAnalyzer([read_export(export)], precision="float32").predict(chunks)
    with torch.no_grad():
        _, logits = network(MelSpectrogram(n_mels=128)(torch.from_numpy(chunks)))
    assert list(answers) == [head.name for head in HEADS]
    for head in HEADS:
        assert answers[head.name].dtype == np.float32
        np.testing.assert_allclose(answers[head.name], head.probabilities(logits[head.name]).numpy(), atol=1e-5)
    np.testing.assert_allclose(answers["genre"].sum(axis=1), 1, atol=1e-5)


def test_one_chunk_and_a_batch_agree(export):
    analyzer = musicrec.load(export)
    chunks = np.random.default_rng(0).normal(0, 0.1, (2, 59_049)).astype("float32")
    single, both = analyzer.predict(chunks[1]), analyzer.predict(chunks)
    assert single["key"].shape == (1, 24)
    np.testing.assert_allclose(single["key"][0], both["key"][1], atol=1e-5)


def test_analyses_a_whole_track(export):
    analyzer = musicrec.load(export)
    waveform = np.random.default_rng(0).normal(0, 0.1, 59_049 * 2 + 5).astype("float32")
    analysis = analyzer.analyze(waveform)
    starts = [0, 29_527, 59_054]  # three chunks cover the track, and the last ends where it ends
    expected = analyzer.predict(np.stack([waveform[s : s + 59_049] for s in starts]))
    for name, values in expected.items():
        np.testing.assert_allclose(analysis.probabilities[name], values.mean(axis=0), atol=1e-5)
    assert set(analysis.tags) == {"genre", "instruments"}
    assert [t["tag"] for t in analysis.tags["genre"]] in (["jazz", "rock"], ["rock", "jazz"])
    assert analysis.tags["instruments"][0]["probability"] >= analysis.tags["instruments"][1]["probability"]
    assert set(analysis.features) == {"key", "tempo"}
    assert 30 <= analysis.features["tempo"]["bpm"] <= 300
    assert analysis.feature_vector.shape == (sum(len(head.classes) for head in HEADS),)
    assert analysis.embedding.shape == (32,)
    assert analysis.duration_s == pytest.approx(len(waveform) / 16000)


def test_calibration_applies_to_whole_tracks(export, tmp_path):
    """The calibration in the config changes the probabilities and tags of a track, not those of chunks."""
    plain, waveform = musicrec.load(export), np.random.default_rng(0).normal(0, 0.1, 59_049 * 2).astype("float32")
    config = json.loads((export / "config.json").read_text())
    assert config["calibration"] is None
    genre, instruments = config["heads"][:2]
    genre["temperature"], instruments["temperature"] = 0.5, 2.0
    answers = plain.analyze(waveform).probabilities
    odds = np.sqrt(answers["instruments"] / (1 - answers["instruments"]))
    expected = odds / (1 + odds)
    instruments["thresholds"] = [0.0, float(expected[1]) + 1e-4, float(expected[2]) - 1e-4]
    (export / "config.json").write_text(json.dumps(config))
    calibrated = musicrec.load(export)
    for name, values in plain.predict(waveform[:59_049]).items():
        np.testing.assert_array_equal(calibrated.predict(waveform[:59_049])[name], values)
    analysis = calibrated.analyze(waveform)
    squares = answers["genre"] ** 2
    np.testing.assert_allclose(analysis.probabilities["genre"], squares / squares.sum(), atol=1e-6)
    np.testing.assert_allclose(analysis.probabilities["instruments"], expected, atol=1e-6)
    np.testing.assert_allclose(analysis.probabilities["tempo"], answers["tempo"], atol=1e-7)
    present = {tag["tag"]: tag["present"] for tag in analysis.tags["instruments"]}
    assert present == {"bass": True, "drums": False, "piano": True}


def test_loads_an_export_without_calibration(export):
    config = json.loads((export / "config.json").read_text())
    del config["calibration"]
    for head in config["heads"]:
        del head["temperature"]
        head.pop("thresholds", None)
    (export / "config.json").write_text(json.dumps(config))
    assert read_export(export).heads == HEADS


def test_model_card_describes_the_calibration(network, tmp_path):
    heads = [dataclasses.replace(HEADS[0], temperature=1.25), *HEADS[1:]]
    made = write_export(
        tmp_path / "made",
        network=network,
        heads=heads,
        frontend=MelSpectrogram(n_mels=128),
        metrics={},
        data={},
        calibration={"split": "valid", "heads": {}},
    )
    assert "temperatures genre 1.25, instruments 1.00" in (made / "README.md").read_text()
    assert read_export(made).heads == heads


def test_models_that_answer_frame_by_frame_make_no_track_unreliable():
    """`beats` hears 20 s at once in training, and `key` 15 s."""
    tone = np.sin(np.arange(9 * 16_000) / 7).astype("float32")
    (remark,) = musicrec.load("key", "beats").remarks(tone)
    assert "lasts 9.00 s, but the models need 15.00 s" in remark.text and not remark.unreliable


def test_short_or_silent_input_is_padded_and_gets_a_remark(export):
    analyzer = musicrec.load(export)
    analysis = analyzer.analyze(np.zeros(300, dtype="float32"))
    assert np.isfinite(analysis.feature_vector).all()
    silent, short = analysis.remarks
    assert "all samples are 0" in silent.text and silent.unreliable
    assert "lasts 0.02 s, but the models need 3.69 s" in str(short) and short.unreliable
    faint = np.full(59_049, 0.0005, dtype="float32")
    (remark,) = analyzer.analyze(faint).remarks
    assert "its peak is -66 dBFS" in remark.text and remark.unreliable
    assert analyzer.analyze(4 * faint).remarks == ()
    (remark,) = analyzer.analyze(4 * faint[:-50]).remarks
    assert "lasts 3.69 s" in remark.text and not remark.unreliable, "almost all of the chunk is audio"


@pytest.mark.parametrize("method", ["analyze", "predict"])
def test_refuses_waveforms_of_wrong_shape_type_or_value(export, method):
    ask = getattr(musicrec.load(export), method)
    whole = np.zeros(59_049, dtype="float32")
    for bad in (np.nan, np.inf):
        with pytest.raises(AudioError, match="NaN or infinite"):
            ask(np.append(whole[1:], np.float32(bad)))
    with pytest.raises(AudioError, match="0 samples"):
        ask(whole[:0])
    with pytest.raises(ValueError, match=r"waveform of int16; give float32 in \[-1, 1\]"):
        ask(whole.astype("int16"))
    with pytest.raises(ValueError, match=r"shape \(1, 1, 59049\); give \(samples,\)"):
        ask(whole[None, None])


def test_refuses_a_stereo_waveform_as_track(export):
    with pytest.raises(ValueError, match=r"shape \(2, 59049\); give \(samples,\), mono"):
        musicrec.load(export).analyze(np.zeros((2, 59_049), dtype="float32"))


def test_the_first_of_two_models_with_a_head_answers(export, network, tmp_path):
    torch.manual_seed(1)
    other = write_export(
        tmp_path / "other",
        network=ShortChunkResNet({"genre": 2, "metre": 2}, width=8, n_mels=128).eval(),
        heads=[HEADS[0], ClassHead(name="metre", column="time_signature", classes=("3", "4"))],
        frontend=MelSpectrogram(n_mels=128),
        metrics={},
        data={},
    )
    waveform = np.random.default_rng(0).normal(0, 0.1, 59_049).astype("float32")
    first, second = musicrec.load(export).predict(waveform), musicrec.load(other).predict(waveform)
    both, turned = musicrec.load(export, other).predict(waveform), musicrec.load(other, export).predict(waveform)
    assert set(both) == set(turned) == {*first, "metre"}
    np.testing.assert_array_equal(both["genre"], first["genre"])
    np.testing.assert_array_equal(turned["genre"], second["genre"])
    assert not np.allclose(first["genre"], second["genre"])
    (remark,) = musicrec.load(export, other).passed_over
    assert remark == f"genre: {export} is used, as it is named first; this head of {other} is not used"
    assert musicrec.load(export).passed_over == []


def test_folder_holds_data_only(export):
    assert {p.name for p in export.iterdir()} == {"model.safetensors", "config.json", "metrics.json", "README.md"}
    assert [p.name for p in export.parent.iterdir()] == ["export"], "nothing half-written stays"
    card = (export / "README.md").read_text()
    assert (
        "CC0" in card and "manifest.csv" in card and "| key/accuracy | 0.500 |" in card and "| key/mirex | – |" in card
    )
    assert json.loads((export / "metrics.json").read_text())["test"]["key/mirex"] is None


def test_a_failed_write_keeps_the_old_export(export, network, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (export / "config.json").read_bytes()
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ExportError, match=r"cannot write .*export: No space left"):
        write_export(export, network=network, heads=HEADS, frontend=MelSpectrogram(n_mels=128), metrics={}, data={})
    assert (export / "config.json").read_bytes() == before
    assert [p.name for p in export.parent.iterdir()] == ["export"]


def test_an_export_deletes_the_leftovers_of_a_killed_one(export, network):
    names = (".export-ab12cd34.part", ".export-00000000.old", ".export-2-ab12cd34.part", ".export-x")
    left = [export.with_name(name) for name in names]
    for folder in left:
        folder.mkdir()
        (folder / "model.safetensors").touch()
        os.utime(folder, (0, 0))
    settings = {"heads": HEADS, "frontend": MelSpectrogram(n_mels=128), "metrics": {}, "data": {}}
    write_export(export, network=network, **settings)
    assert [folder.exists() for folder in left] == [False, False, True, True], "another export's stay"
    assert sorted(path.name for path in export.parent.iterdir()) == [*names[2:], "export"]


def test_a_folder_that_is_not_an_export_is_not_replaced(tmp_path, network):
    (tmp_path / "Music").mkdir()
    song = tmp_path / "Music" / "song.flac"
    song.write_bytes(b"mine")
    with pytest.raises(ExportError, match="Music exists and is not an export"):
        write_export(
            tmp_path / "Music", network=network, heads=HEADS, frontend=MelSpectrogram(n_mels=128), metrics={}, data={}
        )
    assert song.read_bytes() == b"mine"


def test_an_export_is_readable_by_everybody(export):
    assert all(path.stat().st_mode & 0o044 for path in (export, *export.iterdir()))


def test_description_round_trip(network):
    description = describe(network, HEADS, MelSpectrogram(n_mels=128))
    assert describe(*build(description)) == description


def test_every_front_end_survives_a_round_trip_and_old_exports_have_mel(network):
    frontend = LogFrequencySpectrogram(n_mels=128, bands_per_octave=20)
    description = describe(network, HEADS, frontend)
    again = build(description)[2]
    assert type(again) is LogFrequencySpectrogram and again.settings == frontend.settings
    mel = describe(network, HEADS, MelSpectrogram(n_mels=128))
    del mel["frontend"]["class"]
    assert type(build(mel)[2]) is MelSpectrogram


def break_json(folder):
    (folder / "config.json").write_text("{")


def break_format(folder):
    (folder / "config.json").write_text('{"format": "other/9"}')


def break_weights(folder):
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)


def other_network(folder):
    config = json.loads((folder / "config.json").read_text())
    config["network"]["settings"]["width"] = 16
    (folder / "config.json").write_text(json.dumps(config))


def foreign_class(folder):
    config = json.loads((folder / "config.json").read_text())
    config["network"]["class"] = "os.system"
    (folder / "config.json").write_text(json.dumps(config))


def removed_setting(folder):
    config = json.loads((folder / "config.json").read_text())
    config["network"]["settings"]["mean_features"] = True
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_json, "config.json is not JSON"),
        (break_format, "format is 'other/9'"),
        (break_weights, "cannot read .*model.safetensors"),
        (other_network, r"other weights than ShortChunkResNet has: .*\(8,.*instead of"),
        (foreign_class, "os.system"),
        (removed_setting, r"config.json describes no model that .*'mean_features'; .* train and export it again"),
    ],
)
def test_damage_in_an_export_is_named(export, damage, message):
    damage(export)
    with pytest.raises(ExportError, match=message):
        musicrec.load(export)


def test_not_an_export(tmp_path):
    with pytest.raises(ExportError, match=r"is not an export: it has no config.json"):
        read_export(tmp_path)


class Evil:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_loading_a_checkpoint_never_executes_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.ckpt").write_bytes(pickle.dumps({"state_dict": Evil()}))
    with pytest.raises(ExportError, match=r"evil\.ckpt is not a checkpoint of train\.py"):
        read_checkpoint(tmp_path / "evil.ckpt")
    assert not (tmp_path / "pwned").exists()


def test_import_checks_names(shared, tmp_path):
    weights = shared / "reference" / "mtat_crnn.pth"
    with pytest.raises(ConfigError, match="has 50 outputs, but 2 class names"):
        musicrec.import_checkpoint(weights, architecture="crnn", classes=["a", "b"], out=tmp_path / "x")
    with pytest.raises(ConfigError, match="'cnn' is unknown; choose from: crnn, fcn, "):
        musicrec.import_checkpoint(weights, architecture="cnn", classes=["a"], out=tmp_path / "x")
    with pytest.raises(ExportError):
        musicrec.import_checkpoint(weights, architecture="short_chunk_resnet", classes=["a"] * 1, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "architecture", "count"), [("mtat_crnn", "crnn", 50), ("short_chunk_resnet_16", "short_chunk_resnet", 32)]
)
def test_imported_weights_answer_as_the_reference(shared, tmp_path, name, architecture, count):
    import soundfile

    reference = json.loads((shared / "reference" / "outputs.json").read_text())[name]
    folder = musicrec.import_checkpoint(
        shared / "reference" / reference["weights"],
        architecture=architecture,
        classes=[f"class {i}" for i in range(count)],
        out=tmp_path / name,
    )
    analyzer = TrackAnalyzer([read_export(folder)], precision="float32")
    first, last = reference["samples"]
    for clip, expected in reference["clips"].items():
        waveform, _ = soundfile.read(shared / "corpus" / "audio" / f"{clip}.ogg", dtype="float32")
        np.testing.assert_allclose(analyzer.predict(waveform[first:last])["tags"][0], expected, atol=1e-4)
