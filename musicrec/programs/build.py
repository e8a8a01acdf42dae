"""Build objects from the config."""

import inspect

from hydra.utils import instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from musicrec.config.targets import TARGETS
from musicrec.errors import ConfigError

_OF_MIXTURES = {"weight", "columns"}  # settings of a dataset that count within a mixture only


def build_all(group: DictConfig | None) -> list:
    """The objects of a config group whose every entry is a target; an entry set to null is left out."""
    return [instantiate(entry, _execution_whitelist_=TARGETS) for entry in (group or {}).values() if entry is not None]


def build_heads(task: DictConfig | None) -> list:
    """The heads of a task. List settings become tuples, as the heads' fields are."""
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


def module_settings(data: DictConfig) -> dict:
    """What of a data group is the DataModule's. A dataset's own settings, such as data.root, stand beside them, and
    data.manifest refers to them. The datasets of a mixture are data groups themselves."""
    if "sets" in data:
        own = [name for name in data if name not in ("sets", "manifest", *_OF_MIXTURES)]
        return {name: _resolved(data, name) for name in own} | {"manifest": _mixture(data)}
    settings = OmegaConf.to_container(data, resolve=True, throw_on_missing=True)
    manifest = settings.get("manifest")
    from musicrec.data.datamodule import MusicDataModule  # here: Lightning takes a second to import

    own = inspect.signature(MusicDataModule).parameters
    read = {name for name in manifest if name not in own} if isinstance(manifest, dict) else set()
    read |= _OF_MIXTURES
    return {name: value for name, value in settings.items() if name not in read or name.startswith("_")}


def _mixture(data: DictConfig) -> dict:
    """What builds the mixture of data.sets. Of each dataset only what says which tracks it has is read."""
    parts = {}
    for name, dataset in data.sets.items():
        fields = ("manifest", "stores", "share_store", "train_split", "valid_split", *sorted(_OF_MIXTURES))
        shares = {"valid_share": "valid_share", "test_share": "test_share", "unit": "split_by", "seed": "split_seed"}
        parts[name] = {
            "_target_": "musicrec.data.mixture.Part",
            "_convert_": "all",
            **{field: _resolved(dataset, field) for field in fields},
            "splitting": {setting: _resolved(dataset, field) for setting, field in shares.items()},
        }
    return {"_target_": "musicrec.data.mixture.Mixture", "folder": _resolved(data, "stores"), "parts": parts}


def _resolved(group: DictConfig, name: str) -> object:
    value = group[name]
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True) if OmegaConf.is_config(value) else value


def listed(value: str | ListConfig | None) -> list[str]:
    """key=ONE or key=[ONE,TWO]."""
    return [value] if isinstance(value, str) else list(value or [])


def plain(cfg: DictConfig) -> dict:
    """The resolved config in plain types."""
    return OmegaConf.to_container(cfg, resolve=True)
