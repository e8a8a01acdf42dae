"""Build objects from the config. A config never enters a class: what it describes is built here."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from musicrec.config.targets import TARGETS
from musicrec.errors import ConfigError

if TYPE_CHECKING:  # Lightning takes seconds to import
    from torch import nn

    from musicrec.data.augmentation import Augmentation
    from musicrec.data.datamodule import MusicDataModule
    from musicrec.data.embeddings import CachedEmbeddings, EmbeddingSource
    from musicrec.export.description import Model
    from musicrec.heads import Head
    from musicrec.models.encoders import AudioEncoder
    from musicrec.models.frontends import Frontend

PROBE = "musicrec.models.probe.Probe"
_WIRING = ("module", "part", "random_split")  # of a dataset: what is built from its settings


def build_all(group: DictConfig | None) -> list:
    """Build every entry of a config group; an entry that is null is left out."""
    return [instantiate(entry, _execution_whitelist_=TARGETS) for entry in (group or {}).values() if entry is not None]


def build_heads(task: DictConfig | None) -> list["Head"]:
    """Build the heads of a task. List settings become tuples, as the heads' fields are.

    Raises:
        ConfigError: The task has no heads.
    """
    if not task or not task.get("heads"):
        raise ConfigError("the task has no heads; choose some, as in task=[tags] or task=[genre,features]")
    heads = []
    for name, entry in task.heads.items():
        if entry is None:
            continue
        head = instantiate(entry, name=name, _convert_="all", _execution_whitelist_=TARGETS)
        fields = {key: tuple(value) for key, value in vars(head).items() if isinstance(value, list)}
        heads.append(type(head)(**{**vars(head), **fields}))
    return heads


def build_encoder(cfg: DictConfig) -> "EmbeddingSource | None":
    """Build what gives the embeddings of a probe, from the group `encoder`; None if the run trains another network.

    Raises:
        ConfigError: There is an encoder, but no probe to train on it, or the other way round.
    """
    is_probe = cfg.model.get("_target_") == PROBE
    if is_probe != (cfg.get("encoder") is not None):
        raise ConfigError(
            "model=probe needs an encoder; choose encoder=export, table or hugging_face"
            if is_probe
            else "encoder: only model=probe has one; add model=probe, or leave encoder out"
        )
    return _embeddings(cfg) if is_probe else None


def _embeddings(cfg: DictConfig) -> "EmbeddingSource":
    """Build the group `encoder`: a table, or an encoder with the folder that its embeddings are kept in."""
    from musicrec.models.encoders import AudioEncoder

    encoder = instantiate(cfg.encoder, _execution_whitelist_=TARGETS)
    return cached(encoder, cfg) if isinstance(encoder, AudioEncoder) else encoder


def cached(encoder: "AudioEncoder", cfg: DictConfig) -> "CachedEmbeddings":
    """Return the embeddings of an encoder, which are kept in the cache folder."""
    import torch

    from musicrec.data.embeddings import CachedEmbeddings

    on_gpu = cfg.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return CachedEmbeddings(encoder, folder=Path(cfg.paths.cache) / "embeddings", device="cuda" if on_gpu else "cpu")


def model_embeddings(cfg: DictConfig, model: "Model") -> "EmbeddingSource | None":
    """Return what the embeddings of a probe come from when it is evaluated; None for a model that hears spectrograms.

    Raises:
        ConfigError: The model needs a table of embeddings and none is named, or it takes none.
    """
    from musicrec.export.encoder import encoder_of

    if model.hears_audio:
        if cfg.get("encoder") is not None:
            raise ConfigError("encoder: the model computes its embeddings itself; leave encoder out")
        encoder = encoder_of(model)
        return cached(encoder, cfg) if encoder else None
    if cfg.get("encoder") is None:
        raise ConfigError(
            f"{model.source}: answers about embeddings that are computed elsewhere; say where they come from, as in "
            "its training: encoder=table encoder.path=TABLE"
        )
    source = _embeddings(cfg)
    given, wanted = source.probe["embedding_size"], model.network.embedding_size
    if given != wanted:
        raise ConfigError(
            f"encoder: gives embeddings of {given} numbers, {model.source} was trained on {wanted}; name the encoder "
            "or the table that it was trained on"
        )
    return source


def build_network(model: DictConfig, heads: Sequence["Head"], encoder: "EmbeddingSource | None" = None) -> "nn.Module":
    """Build the network of the group `model`, with random weights; of a probe, the encoder has its own."""
    build = instantiate(model, _execution_whitelist_=TARGETS)
    outputs = {head.name: len(head.classes) for head in heads}
    if encoder is None:
        return build(outputs)
    probe = build(outputs, **encoder.probe)
    encoder.load_weights(probe)
    return probe


def build_augmentation(augment: DictConfig) -> "Augmentation":
    """Build the augmentation of training batches from the group `augment`."""
    from musicrec.data.augmentation import Augmentation

    return Augmentation(
        waveform=build_all(augment.waveform),
        move_labels=augment.move_labels,
        mixup=instantiate(augment.mixup, _execution_whitelist_=TARGETS),
        spectrogram=instantiate(augment.spectrogram, _execution_whitelist_=TARGETS),
    )


def build_data(
    data: DictConfig,
    *,
    heads: Sequence["Head"],
    frontend: "Frontend",
    augmentation: "Augmentation | None" = None,
    chunk_samples: int | None = None,
    encoder: "EmbeddingSource | None" = None,
) -> "MusicDataModule":
    """Build the DataModule of the group `data`.

    Args:
        data: The group. `data.module` describes the DataModule; `data.manifest`, or for a mixture `data.sets`, its
            manifest.
        heads: The heads whose labels are read.
        frontend: The front end.
        augmentation: How to change training batches; None for not at all.
        chunk_samples: Length of the chunks that the network takes, in samples; None for that of the group, or of the
            encoder.
        encoder: What a probe learns from; None for spectrograms.

    Returns:
        The DataModule, which has read nothing yet.
    """
    manifest = _mixture(data) if "sets" in data else _resolved(data, "manifest")
    settings = _resolved(data, "module") | {"manifest": manifest, "_partial_": True}
    # Partial: heads, front end and augmentation are objects, which must not become part of a config.
    build = instantiate(settings, _execution_whitelist_=TARGETS)
    given: dict[str, object] = {"augmentation": augmentation, "chunk_samples": chunk_samples}
    if encoder is not None:
        given["chunk_samples"] = encoder.chunk_samples
        given["embeddings"] = None if encoder.probe["trained"] else encoder
    return build(heads=heads, frontend=frontend, **{name: one for name, one in given.items() if one is not None})


def _mixture(data: DictConfig) -> dict:
    """Describe the mixture of the datasets in data.sets. Of each only `part` and `manifest` are read."""
    parts = {
        name: _resolved(dataset, "part") | {"manifest": _resolved(dataset, "manifest")}
        for name, dataset in data.sets.items()
    }
    return {"_target_": "musicrec.data.mixture.Mixture", "folder": _resolved(data, "stores"), "parts": parts}


def _resolved(group: DictConfig, name: str) -> object:
    value = group[name]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def listed(value: str | ListConfig | None) -> list[str]:
    """Return the values of a setting that takes one or several: key=ONE or key=[ONE,TWO]."""
    return [value] if isinstance(value, str) else list(value or [])


def plain(cfg: DictConfig) -> dict:
    """Return the resolved config in plain types."""
    return OmegaConf.to_container(cfg, resolve=True)


def settings_of(cfg: DictConfig) -> dict:
    """Return the settings of a run in plain types, without what `conf/data/base.yaml` only wires to other keys."""
    cfg = copy.deepcopy(cfg)
    OmegaConf.set_struct(cfg, False)
    for dataset in (cfg.data, *cfg.data.get("sets", {}).values()):
        for name in _WIRING:
            dataset.pop(name, None)
    return plain(cfg)
