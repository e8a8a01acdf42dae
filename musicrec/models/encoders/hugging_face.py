"""Encoders of the library transformers, from a folder on this machine. Nothing is downloaded."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural
from musicrec.errors import ConfigError
from musicrec.models.encoders import AudioEncoder
from musicrec.models.encoders._layer_means import collect_layers, layer_means
from musicrec.models.encoders._lora import add_lora
from musicrec.models.encoders.muq import SAMPLE_RATE as MUQ_SAMPLE_RATE
from musicrec.models.encoders.muq import MuQEncoder
from musicrec.models.frontends.waveform import Waveform

# The model types that hear the waveform and give one embedding per layer and frame.
_WAVEFORM = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "wav2vec2-conformer", "unispeech", "unispeech-sat")
_CLAP = ("clap", "clap_audio_model")
_CHUNK_S = {"clap_audio_model": 10.0}
_USUAL_CHUNK_S = 5.0
_NO_RANDOM_CHANGES = {"apply_spec_augment": False, "layerdrop": 0.0}  # a resumed run could not repeat them


class HuggingFaceEncoder(nn.Module):
    """A network of transformers that turns waveforms into embeddings: the mean over the frames of each layer.

    Of CLAP it is the projected embedding of the chunk, as a single layer.

    Args:
        config: The configuration of the network, as in its config.json.
        extractor: What its preprocessor_config.json says about the input.
        chunk_samples: Length of the chunks, in samples.
        lora_rank: Rank of the trained matrices beside the queries and values of the attention; 0 for none, which leaves
            the network as it is.
        model: The network with its weights; None builds it with random weights.

    Raises:
        ConfigError: The network is of another kind, or has no layers to add matrices to.
    """

    channels_last = False
    n_mels = 1

    def __init__(
        self,
        *,
        config: dict[str, Any],
        extractor: dict[str, Any],
        chunk_samples: Count,
        lora_rank: Natural = 0,
        model: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.settings = {
            "config": config,
            "extractor": extractor,
            "chunk_samples": chunk_samples,
            "lora_rank": lora_rank,
        }
        self.chunk_samples, self._normalises = chunk_samples, bool(extractor.get("do_normalize", True))
        self.is_clap = config["model_type"] in _CLAP
        self.model = _build(config) if model is None else model
        self.layers = 1 if self.is_clap else config["num_hidden_layers"] + 1
        self.embedding_size = config["projection_dim" if self.is_clap else "hidden_size"]
        self._features = _clap_features(extractor) if self.is_clap else None
        self._collected = config["model_type"] not in (*_WAVEFORM, *_CLAP)  # code that is not of transformers
        if self._collected:
            collect_layers(self.model.encoder.layers)
        if lora_rank and not add_lora(self.model, rank=lora_rank):
            raise ConfigError(
                f"encoder.lora_rank={lora_rank}: {config['model_type']} has no linear layers that are known to give "
                "queries and values, such as q_proj and v_proj; leave encoder.lora_rank out"
            )

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the embeddings (batch, layers, size), of CLAP (batch, size), of a waveform (batch, 1, 1, samples)."""
        samples = waveform[:, 0, 0]
        if self._features is not None:
            rate = self._features.sampling_rate
            inputs = self._features(list(samples.float().cpu().numpy()), sampling_rate=rate, return_tensors="pt")
            return self.model(**inputs.to(samples.device)).audio_embeds
        if self._normalises:
            spread = (samples.var(dim=1, keepdim=True, correction=0) + 1e-7).sqrt()
            samples = (samples - samples.mean(dim=1, keepdim=True)) / spread
        if self._collected:
            return layer_means(lambda: self.model(samples).last_hidden_state)
        states = self.model(samples, output_hidden_states=True).hidden_states
        return torch.stack([state.mean(dim=1) for state in states], dim=1)


def hugging_face_encoder(
    *, folder: str, chunk_samples: Count | None = None, lora_rank: Natural = 0, remote_code: str | None = None
) -> AudioEncoder:
    """Load an encoder from a folder with config.json, preprocessor_config.json and weights.

    Args:
        folder: The folder, as `save_pretrained` writes it or a repository of the Hugging Face hub holds it.
        chunk_samples: Length of the chunks, in samples; None for 5 s, of CLAP for 10 s.
        lora_rank: As in `HuggingFaceEncoder`; 0 for an encoder that stays as it is.
        remote_code: The class in Python files of the folder that may run, such as "modeling_MERT.MERTModel". Read them
            first: they can do anything.

    Raises:
        ConfigError: The folder cannot be read, or its network is of a kind that is not known.
    """
    folder = str(Path(folder).expanduser())
    config = _read_json(folder, "config.json")
    if _is_muq(config):
        return _muq(folder, config, chunk_samples=chunk_samples, lora_rank=lora_rank)
    kind, classes = config.get("model_type"), config.get("auto_map")
    code = classes.get("AutoModel") if isinstance(classes, dict) else None
    known = kind in (*_WAVEFORM, *_CLAP)
    if not known and (code is None or remote_code != code):
        raise ConfigError(_unknown(folder, kind, code))
    extractor = _read_json(folder, "preprocessor_config.json")
    own_config, model = _load(folder, kind=kind, own_code=not known)
    if not known and not isinstance(getattr(getattr(model, "encoder", None), "layers", None), nn.ModuleList):
        raise ConfigError(
            f"encoder.folder={folder}: {code} has no encoder.layers, as HuBERT has; compute the embeddings with "
            "its own code and use encoder=table"
        )
    rate = extractor.get("sampling_rate", 16_000)
    if not isinstance(rate, int) or rate < 1:
        raise ConfigError(
            f"encoder.folder={folder}: preprocessor_config.json has sampling_rate={rate!r}; write it in Hz"
        )
    network = HuggingFaceEncoder(
        config=own_config,
        extractor=extractor,
        chunk_samples=chunk_samples or round(_CHUNK_S.get(own_config["model_type"], _USUAL_CHUNK_S) * rate),
        lora_rank=lora_rank,
        model=model,
    ).eval()
    return AudioEncoder(
        network=network,
        frontend=Waveform(sample_rate=rate),
        about={"model": f"{kind} ({Path(folder).name})", "licence": "that of the encoder, which is inside"},
        trained=lora_rank > 0,
        portable=known,
    )


def _load(folder: str, *, kind: str | None, own_code: bool) -> tuple[dict[str, Any], nn.Module]:
    """Return the configuration in plain types, and the network with its weights."""
    from transformers import AutoConfig, AutoModel, ClapAudioConfig, ClapAudioModelWithProjection
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it lists weights of heads that are not used
    source: dict[str, Any] = {"local_files_only": True, "trust_remote_code": own_code}
    try:
        if kind in _CLAP:
            config = _without_kernels(ClapAudioConfig.from_pretrained(folder, local_files_only=True))
            model, found = ClapAudioModelWithProjection.from_pretrained(
                folder, local_files_only=True, config=config, output_loading_info=True
            )
        else:
            config = _without_kernels(AutoConfig.from_pretrained(folder, **source))
            model, found = AutoModel.from_pretrained(folder, **source, config=_calm(config), output_loading_info=True)
    except Exception as error:  # of a damaged file, transformers can raise nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise ConfigError(f"encoder.folder={folder}: transformers cannot load it ({said})") from None
    _check_weights(folder, found["missing_keys"])
    return (config.to_dict() if own_code else _plain(config.to_dict(), config)), model


def _check_weights(folder: str, missing: Iterable[str]) -> None:
    """Refuse weights of another network: transformers would go on with random ones in their place."""
    missing = sorted(name for name in missing if not name.endswith("masked_spec_embed"))  # used in its training only
    if missing:
        raise ConfigError(
            f"encoder.folder={folder}: its weights lack {len(missing)} tensors of the network, such as {missing[0]}; "
            "config.json and the weights belong to different networks"
        )


def _is_muq(config: dict[str, Any]) -> bool:
    return "model_type" not in config and {"encoder_dim", "encoder_depth", "w2v2_config", "stat"} <= config.keys()


def _muq(folder: str, config: dict[str, Any], *, chunk_samples: int | None, lora_rank: int) -> AudioEncoder:
    """Load MuQ, whose folder has no preprocessor_config.json."""
    samples = chunk_samples or round(_USUAL_CHUNK_S * MUQ_SAMPLE_RATE)
    try:
        network = MuQEncoder(config=config, chunk_samples=samples, lora_rank=lora_rank).eval()
    except ModuleNotFoundError:
        raise
    except Exception as error:  # a damaged configuration can make the constructors raise anything
        said = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ConfigError(f"encoder.folder={folder}: config.json describes no MuQ ({said})") from None
    try:
        weights = load_file(Path(folder) / "model.safetensors")
        missing = network.load_published(weights)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise ConfigError(f"encoder.folder={folder}: cannot read model.safetensors ({error})") from None
    _check_weights(folder, missing)
    return AudioEncoder(
        network=network,
        frontend=Waveform(sample_rate=MUQ_SAMPLE_RATE),
        about={"model": f"MuQ ({Path(folder).name})", "licence": "that of the encoder, which is inside"},
        trained=lora_rank > 0,
    )


def _build(config: dict[str, Any]) -> nn.Module:
    """Build a network with random weights. What the configuration says beside its own settings is not followed."""
    from transformers import AutoConfig, AutoModel, ClapAudioConfig, ClapAudioModelWithProjection

    if config["model_type"] not in (*_WAVEFORM, *_CLAP):
        raise ConfigError(f"an encoder of type {config['model_type']!r} cannot be built without code of its own")
    if config["model_type"] in _CLAP:
        plain = _plain(config, ClapAudioConfig())
        return ClapAudioModelWithProjection(ClapAudioConfig(**plain))
    default = AutoConfig.for_model(config["model_type"])
    plain = {name: value for name, value in _plain(config, default).items() if name != "model_type"}
    return AutoModel.from_config(_calm(AutoConfig.for_model(config["model_type"], **plain)))


def _without_kernels(config: Any) -> Any:
    """Forget how the configuration wants attention to be computed: it may name code to be downloaded."""
    config._attn_implementation = None
    return config


def _calm(config: Any) -> Any:
    """Switch off what changes embeddings at random in training."""
    for name, value in _NO_RANDOM_CHANGES.items():
        if hasattr(config, name):
            setattr(config, name, value)
    return config


def _plain(written: dict[str, Any], config: Any) -> dict[str, Any]:
    """Return the settings that the configuration of this kind has; none that names files, code or kernels."""
    own = type(config)().to_dict()
    names = {name for name in own if not name.startswith("_") and name not in ("transformers_version", "dtype")}
    return json.loads(json.dumps({name: written[name] for name in sorted(names & written.keys())}))


def _clap_features(extractor: dict[str, Any]) -> Any:
    """Return what computes the spectrograms of CLAP."""
    from transformers import ClapFeatureExtractor

    own = ClapFeatureExtractor().to_dict()
    names = own.keys() - {"feature_extractor_type", "mel_filters", "mel_filters_slaney"}
    return ClapFeatureExtractor(**{name: value for name, value in extractor.items() if name in names})


def _read_json(folder: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
        return found
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"encoder.folder={folder}: cannot read {name} ({error}); name a folder on this machine that holds "
            "config.json, preprocessor_config.json and the weights; nothing is downloaded"
        ) from None


def _unknown(folder: str, kind: str | None, code: str | None) -> str:
    kinds = ", ".join(("clap", "muq", *_WAVEFORM))
    if code is None:
        return (
            f"encoder.folder={folder}: is of the kind {kind}, but these kinds can be read: {kinds}; for any other, "
            "compute the embeddings with its own code and use encoder=table"
        )
    return (
        f"encoder.folder={folder}: runs code of its own, {code}; read its Python files, and if you trust them, allow "
        f"them by name: encoder.remote_code={code}"
    )
