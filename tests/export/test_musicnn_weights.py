"""The public weights of MusiCNN: they answer as the original code, and other files get one message."""

import json
import zipfile
from pathlib import Path

import pytest
import torch
import yaml

from musicrec.audio.decode import decode_track
from musicrec.errors import ConfigError, ExportError
from musicrec.export.analyzer import TrackAnalyzer
from musicrec.export.chunk_batches import chunk_batches
from musicrec.export.folder import read_export
from musicrec.export.musicnn_weights import USUAL, VARIANTS, import_musicnn

ORIGINAL = {"mtt": "MTT_musicnn", "msd": "MSD_musicnn"}


@pytest.fixture(scope="module")
def models(musicnn_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("musicnn")
    return {name: read_export(import_musicnn(musicnn_wheel, folder / name, name)) for name in VARIANTS}


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict:
    return json.loads((shared / "reference" / "musicnn_outputs.json").read_text())


def path_of(shared: Path, clip: str) -> Path:
    path = shared / "recordings" / clip
    return path if path.exists() else shared / "corpus" / "audio" / clip


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_the_first_patch_is_answered_as_by_the_original(models, reference, shared, name):
    model = models[name]
    assert len(reference["clips"]) == 15
    for clip, values in reference["clips"].items():
        expected = values[ORIGINAL[name]]
        waveform = torch.from_numpy(decode_track(path_of(shared, clip), sample_rate=16_000).waveform)
        inputs = chunk_batches(
            model.network, model.frontend, [waveform[:100_000]], batch_size=1, device=torch.device("cpu")
        )
        with torch.inference_mode():
            embedding, logits = model.network(next(inputs)[1])
        probabilities = logits[f"tags_{name}"].sigmoid()[0]
        assert (probabilities - torch.tensor(expected["first"])).abs().max() < 0.001, clip
        assert (embedding[0, :16] - torch.tensor(expected["penultimate_first"])).abs().max() < 0.01, clip


@pytest.mark.slow
def test_tracks_are_answered_as_by_the_original(models, reference, shared):
    analyzer = TrackAnalyzer(list(models.values()), precision="float32")  # bf16 may change more than the limit
    for clip, expected in reference["clips"].items():
        analysis = analyzer.analyze(path_of(shared, clip))
        for name, original in ORIGINAL.items():
            difference = analysis.probabilities[f"tags_{name}"] - expected[original]["mean"]
            assert abs(difference).max() < 0.003, (clip, name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "live"), [("mtt", 214), ("msd", 64)])
def test_the_compact_form_answers_as_the_network(models, shared, name, live):
    waveform = torch.from_numpy(decode_track(path_of(shared, "vibe_ace.ogg"), sample_rate=16_000).waveform[:200_000])
    model, compact = models[name], models[name].for_inference()
    batches = chunk_batches(model.network, model.frontend, [waveform], batch_size=8, device=torch.device("cpu"))
    _, inputs = next(batches)
    with torch.inference_mode():
        embedding, logits = model.network(inputs)
        compact_embedding, compact_logits = compact.network(inputs)
    torch.testing.assert_close(compact_embedding, embedding, atol=1e-4, rtol=0)
    torch.testing.assert_close(compact_logits[f"tags_{name}"], logits[f"tags_{name}"], atol=1e-4, rtol=0)
    assert len(compact.network.live) == live


def test_classes_are_those_of_the_original(reference):
    for name, original in ORIGINAL.items():
        assert list(VARIANTS[name].classes) == reference["labels"][original]


def test_model_card_says_where_the_weights_are_from(models):
    card = (models["mtt"].source / "README.md").read_text()
    for part in ("ISC", "MagnaTagATune", "published", "0.907", "0.383", "github.com/jordipons/musicnn"):
        assert part in card


def test_unknown_network(tmp_path):
    with pytest.raises(ConfigError, match="which='vgg': choose mtt or msd"):
        import_musicnn(tmp_path / "x.whl", tmp_path / "out", "vgg")


def test_files_that_are_not_the_wheel_get_one_message(tmp_path):
    def message(wheel: Path) -> str:
        with pytest.raises(ExportError) as error:
            import_musicnn(wheel, tmp_path / "out", "musicnn_mtt")
        assert not (tmp_path / "out").exists()
        return str(error.value)

    wheel = tmp_path / "x.whl"
    assert message(wheel) == f"{wheel}: no such file; give the wheel of musicnn 0.1.0"
    wheel.write_bytes(b"no zip")
    assert "not a wheel, or damaged" in message(wheel)
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("musicnn/MTT_musicnn/.index", "")
    assert "not the wheel of musicnn 0.1.0" in message(wheel)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("musicnn/MTT_musicnn/.data-00000-of-00001", "")
    assert message(wheel).startswith(f"{wheel}: musicnn/MTT_musicnn: no TensorFlow checkpoint")
    content = bytearray(wheel.read_bytes())
    wheel.write_bytes(content[: len(content) // 2])
    assert "not a wheel, or damaged" in message(wheel)


def test_zip_bombs_are_not_unpacked(tmp_path):
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("musicnn/MTT_musicnn/.index", bytes(65 * 2**20))
        archive.writestr("musicnn/MTT_musicnn/.data-00000-of-00001", "")
    with pytest.raises(ExportError, match="is larger than 64 MiB"):
        import_musicnn(wheel, tmp_path / "out", "mtt")


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_tag_has_a_usual_probability(name: str):
    usual = yaml.safe_load(USUAL.read_text())[f"tags_{name}"]
    assert list(usual) == list(VARIANTS[name].classes), "in the order of the outputs"
    assert all(0 < value < 0.5 for value in usual.values())
