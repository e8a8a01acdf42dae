"""Encoders of transformers, made small from their configurations; nothing is downloaded."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from musicrec.errors import ConfigError
from musicrec.models.encoders import build_encoder
from musicrec.models.encoders._lora import LoRALinear
from musicrec.models.encoders.hugging_face import HuggingFaceEncoder, hugging_face_encoder
from musicrec.models.probe import Probe

pytestmark = pytest.mark.extra("hf")

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
CLAP = {
    "hidden_size": 16, "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [2, 2], "window_size": 4,
    "projection_dim": 12, "num_hidden_layers": 2, "enable_fusion": False,
}  # fmt: skip
WAVEFORM = 0.1 * torch.randn(2, 1, 1, 8000, generator=torch.Generator().manual_seed(0))


def saved(folder: Path, kind: str) -> Path:
    """Save a small untrained network of a kind, and what it says about its input."""
    import transformers

    torch.manual_seed(0)
    if kind == "clap":
        model = transformers.ClapAudioModelWithProjection(transformers.ClapAudioConfig(**CLAP))
        transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    else:
        model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(kind, **SMALL))
        transformers.Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2", "wavlm"])
def test_embeddings_are_the_means_of_the_hidden_states(kind: str, tmp_path: Path):
    """Compared with transformers itself, with the input that its own feature extractor makes."""
    import transformers

    encoder = hugging_face_encoder(folder=str(saved(tmp_path, kind)))
    with torch.inference_mode():
        found = encoder.network(WAVEFORM)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
        inputs = extractor(list(WAVEFORM[:, 0, 0].numpy()), sampling_rate=16_000, return_tensors="pt")
        model = transformers.AutoModel.from_pretrained(tmp_path).eval()
        states = model(inputs["input_values"], output_hidden_states=True).hidden_states
    assert found.shape == (2, 3, 16) and encoder.layers == 3 and encoder.embedding_size == 16
    for layer, state in enumerate(states):
        assert torch.allclose(found[:, layer], state.mean(dim=1), atol=1e-5)
    assert encoder.frontend.sample_rate == 16_000 and encoder.chunk_samples == 80_000


def test_clap_gives_its_audio_embedding(tmp_path: Path):
    import transformers

    encoder = hugging_face_encoder(folder=str(saved(tmp_path, "clap")), chunk_samples=480_000)
    waveform = 0.1 * torch.randn(1, 1, 1, 480_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = encoder.network(waveform)
        extractor = transformers.AutoFeatureExtractor.from_pretrained(tmp_path)
        inputs = extractor([waveform[0, 0, 0].numpy()], sampling_rate=48_000, return_tensors="pt")
        model = transformers.ClapAudioModelWithProjection.from_pretrained(tmp_path).eval()
        expected = model(**inputs).audio_embeds
    assert torch.allclose(found, expected, atol=1e-5) and found.shape == (1, 12)
    assert encoder.layers == 1 and encoder.frontend.sample_rate == 48_000


@pytest.mark.parametrize("kind", ["hubert", "clap"])
def test_an_export_can_build_it_again(kind: str, tmp_path: Path):
    encoder = hugging_face_encoder(folder=str(saved(tmp_path, kind)), chunk_samples=480_000 if kind == "clap" else None)
    again = build_encoder(json.loads(json.dumps(encoder.description))).eval()
    again.load_state_dict(encoder.network.state_dict())
    waveform = torch.randn(1, 1, 1, 480_000 if kind == "clap" else 8000)
    with torch.inference_mode():
        assert torch.allclose(again(waveform), encoder.network(waveform), atol=1e-6)


def test_lora_begins_as_the_encoder_and_learns_only_beside_it(tmp_path: Path):
    folder = str(saved(tmp_path, "hubert"))
    plain, adapted = hugging_face_encoder(folder=folder), hugging_face_encoder(folder=folder, lora_rank=2)
    assert adapted.trained and not plain.trained
    with torch.inference_mode():
        assert torch.allclose(plain.network(WAVEFORM), adapted.network(WAVEFORM), atol=1e-6)
    layers = [module for module in adapted.network.modules() if isinstance(module, LoRALinear)]
    assert len(layers) == 4, "queries and values of two layers"
    probe = Probe(
        {"tags": 3}, encoder=adapted.description, trained=True, embedding_size=16, layers=3, chunk_samples=80_000
    )
    probe.encoder.load_state_dict(adapted.network.state_dict())
    trained = {name for name, parameter in probe.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[-2] for name in trained if name.startswith("encoder")} == {"up", "down"}
    before = {name: tensor.clone() for name, tensor in probe.encoder.state_dict().items()}
    optimizer = torch.optim.SGD([parameter for parameter in probe.parameters() if parameter.requires_grad], lr=1.0)
    probe.train()(WAVEFORM)[1]["tags"].square().sum().backward()
    optimizer.step()
    changed = {name for name, tensor in probe.encoder.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed and all(".up." in name for name in changed), "down has no gradient while up is 0"


@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm", "wav2vec2-conformer", "clap"])
def test_lora_finds_queries_and_values_under_their_names(kind: str, tmp_path: Path):
    """WavLM computes with the weights of its layers; the others call them. All names are those of transformers."""
    folder = str(saved(tmp_path, kind))
    samples = 480_000 if kind == "clap" else 8000
    plain = hugging_face_encoder(folder=folder, chunk_samples=samples)
    adapted = hugging_face_encoder(folder=folder, chunk_samples=samples, lora_rank=2)
    waveform = 0.1 * torch.randn(1, 1, 1, samples, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(plain.network(waveform), adapted.network(waveform), atol=1e-5)
    layers = {name: module for name, module in adapted.network.named_modules() if isinstance(module, LoRALinear)}
    assert len(layers) == 4
    for layer in layers.values():
        torch.nn.init.normal_(layer.up.weight)
    changed = adapted.network(waveform)
    assert not torch.allclose(plain.network(waveform), changed, atol=1e-3)
    changed.square().sum().backward()
    assert all(layer.up.weight.grad.abs().sum() > 0 and layer.base.weight.grad is None for layer in layers.values())


def test_a_configuration_cannot_name_code_or_kernels():
    """An export holds the configuration, and reading an export must not run what it names."""
    hostile = {
        "model_type": "hubert", **SMALL, "auto_map": {"AutoModel": "evil.Model"}, "_name_or_path": "elsewhere/model",
        "attn_implementation": "somebody/kernels", "quantization_config": {"quant_method": "evil"},
    }  # fmt: skip
    encoder = HuggingFaceEncoder(config=hostile, extractor={}, chunk_samples=8000)
    assert type(encoder.model).__module__.startswith("transformers.")
    assert encoder.model.config._attn_implementation in ("eager", "sdpa")
    assert not hasattr(encoder.model.config, "quantization_config")
    with pytest.raises(ConfigError, match="cannot be built without code of its own"):
        HuggingFaceEncoder(config={"model_type": "mert_model"}, extractor={}, chunk_samples=8000)


@pytest.mark.parametrize("kind", ["hubert", "clap"])
def test_a_folder_cannot_name_kernels(kind: str, tmp_path: Path):
    """transformers would download and run them where the package kernels is installed, and fail where it is not."""
    folder = saved(tmp_path, kind)
    config = json.loads((folder / "config.json").read_text()) | {"attn_implementation": "kernels-community/attention"}
    (folder / "config.json").write_text(json.dumps(config))
    model = hugging_face_encoder(folder=str(folder)).network.model
    assert model.config._attn_implementation in ("eager", "sdpa")


CODE = """
from transformers import HubertConfig, HubertModel
from transformers.modeling_outputs import BaseModelOutput
class OwnConfig(HubertConfig):
    model_type = "own_model"
class OwnModel(HubertModel):  # as MERT does it: the parts of HuBERT are called one by one
    config_class = OwnConfig
    def forward(self, input_values, output_hidden_states=None):
        features = self.feature_projection(self.feature_extractor(input_values).transpose(1, 2))
        answer = self.encoder(features, output_hidden_states=output_hidden_states)
        return BaseModelOutput(last_hidden_state=answer[0], hidden_states=getattr(answer, "hidden_states", None))
"""


def test_code_of_its_own_runs_only_if_it_is_allowed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = saved(tmp_path / "model", "hubert")
    config = json.loads((folder / "config.json").read_text()) | {
        "model_type": "own_model", "auto_map": {"AutoConfig": "code.OwnConfig", "AutoModel": "code.OwnModel"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(CODE)
    for remote_code in (None, "code.Other"):
        with pytest.raises(ConfigError, match=r"encoder\.remote_code=code\.OwnModel"):
            hugging_face_encoder(folder=str(folder), remote_code=remote_code)
    encoder = hugging_face_encoder(folder=str(folder), remote_code="code.OwnModel")
    assert type(encoder.network.model).__name__ == "OwnModel" and not encoder.portable
    plain = hugging_face_encoder(folder=str(saved(tmp_path / "plain", "hubert")))
    expected = plain.network(WAVEFORM)
    assert expected.shape == (2, 3, 16) and torch.allclose(encoder.network(WAVEFORM), expected, atol=1e-6)
    with ThreadPoolExecutor(4) as pool, torch.inference_mode():  # embeddings are computed by several threads
        assert all(torch.allclose(one, expected, atol=1e-6) for one in pool.map(encoder.network, [WAVEFORM] * 8))


def test_weights_of_another_network_are_refused(tmp_path: Path):
    """transformers would fill the gaps with random numbers and only log it."""
    folder = saved(tmp_path, "hubert")
    weights = load_file(folder / "model.safetensors")
    (gone,) = (name for name in weights if name.endswith("layers.1.attention.q_proj.weight"))
    weights.pop("masked_spec_embed")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    hugging_face_encoder(folder=str(folder))  # only training needs this one
    weights.pop(gone)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=rf"its weights lack 1 tensors .* such as {gone}"):
        hugging_face_encoder(folder=str(folder))


def test_what_cannot_be_read_is_explained(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cannot read config\.json.*nothing is downloaded"):
        hugging_face_encoder(folder=str(tmp_path / "facebook" / "hubert-base-ls960"))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match="is of the kind bert, but these kinds can be read: clap, muq, wav2vec2"):
        hugging_face_encoder(folder=str(tmp_path))
    folder = saved(tmp_path / "hubert", "hubert")
    (folder / "model.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(ConfigError, match=r"encoder\.folder=.*transformers cannot load it"):
        hugging_face_encoder(folder=str(folder))


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", {"hidden_size": "wide"}, r"transformers cannot load it \(.*hidden_size"),
        ("config.json", {"hidden_act": "none such"}, "transformers cannot load it"),
        ("config.json", None, "cannot read config.json .it holds no object"),
        (
            "config.json",
            {"model_type": "own", "auto_map": ["code.Own"]},
            "is of the kind own, but these kinds can be read",
        ),
        ("preprocessor_config.json", None, "cannot read preprocessor_config.json"),
        ("preprocessor_config.json", {"sampling_rate": -1}, "sampling_rate=-1; write it in Hz"),
    ],
)
def test_a_damaged_folder_is_explained(file: str, change: dict | None, message: str, tmp_path: Path):
    path = saved(tmp_path, "hubert") / file
    path.write_text(json.dumps([] if change is None else json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=message):
        hugging_face_encoder(folder=str(tmp_path))


def test_silence_is_finite(tmp_path: Path):
    encoder = hugging_face_encoder(folder=str(saved(tmp_path, "hubert")))
    assert np.isfinite(encoder.network(torch.zeros(1, 1, 1, 8000)).detach().numpy()).all()
