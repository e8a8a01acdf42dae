"""Check the settings of a config before anything is built.

The constructors are the schema: a value must fit the annotation of the parameter that it goes to. The limits of numbers
are in `number_types`.
"""

import fnmatch
import inspect
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from annotated_types import Ge
from hydra._internal.utils import _locate  # hydra.utils.get_object also prints what it raises
from hydra.errors import InstantiationException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from musicrec.config.explain import missing_package
from musicrec.config.number_types import Count, NotNegative
from musicrec.config.value_check import describe, fits
from musicrec.config.written_types import written_annotations
from musicrec.errors import ConfigError

# The programs read these switches themselves, so no constructor tells their type.
SWITCHES = (
    "resume",
    "channels_last",
    "figures",
    "plots",
    "mixed",
    "include_unreliable",
    "playlist",
    "augment.move_labels",
)

# Settings that take numbers, although they are text or null by default and no constructor of plain types tells.
_NUMBERS = ("max_files", "min_pool", "tracks", "trainer.devices", "weights.*")

_PLAIN_TYPES = (int, float, bool, str, None, type(None))

# Foreign classes whose own annotations have no limits: {target: {parameter: its type}}.
_FOREIGN_TYPES = {
    "pytorch_lightning.Trainer": {
        "max_epochs": Annotated[int, Ge(-1)] | None,
        "max_steps": Annotated[int, Ge(-1)],
        "gradient_clip_val": NotNegative | None,
        "accumulate_grad_batches": Count,
        "log_every_n_steps": Count | None,
    }
}


def check_settings(cfg: DictConfig, *, allowed: Sequence[str]) -> None:
    """Check every value that goes to a parameter of plain types (int, float, bool, str, None).

    The annotations are first read from source code, which is fast, then from the imported classes, which is complete.

    Args:
        cfg: The config of a program.
        allowed: Patterns of the targets that may be imported to read their annotations, see `targets.TARGETS`.

    Raises:
        ConfigError: Values do not fit. The message lists all of them with their keys.
    """
    switches = ((key, OmegaConf.select(cfg, key), bool) for key in SWITCHES)
    given = [switch for switch in switches if switch[1] is not None]
    for read in (written_annotations, _imported_annotations):
        wrong: dict[str, str] = {}
        for key, value, annotation in [*given, *_plain_settings(cfg, allowed, read)]:
            if not fits(value, _also_numbers(annotation)):
                wrong.setdefault(key, f"{key}={value}: give {describe(annotation)}")  # several may refer to one key
        if wrong:
            raise ConfigError("; ".join(wrong.values()))


def takes_numbers(cfg: DictConfig, key: str, *, allowed: Sequence[str]) -> bool:
    """Return whether a setting takes numbers, or true and false, also if it is null in the config.

    Args:
        cfg: The config of a program. The setting is changed in it.
        key: The setting.
        allowed: As for `check_settings`.
    """
    if any(fnmatch.fnmatchcase(key, pattern) for pattern in _NUMBERS):
        return True
    OmegaConf.update(cfg, key, 1)  # settings that are null are not looked at
    return any(
        changed == key and any(fits(value, annotation) for value in (1, 1.0, True))
        for read in (written_annotations, _imported_annotations)
        for changed, _, annotation in _plain_settings(cfg, allowed, read)
    )


def _plain_settings(
    cfg: DictConfig | ListConfig, allowed: Sequence[str], read: Callable[[str], dict[str, object]]
) -> Iterator[tuple[str, object, object]]:
    """Yield (full key, value, annotation) of every setting whose parameter is of plain types."""
    annotations: dict[str, object] = {}
    if isinstance(cfg, DictConfig) and "_target_" in cfg:
        annotations = _plain_annotations(str(cfg["_target_"]), allowed, read)
    names: list[Any] = list(cfg) if isinstance(cfg, DictConfig) else list(range(len(cfg)))
    for name in names:
        try:
            value = cfg[name]
        except OmegaConfBaseException:  # a missing value, or a reference to one: whoever reads it reports it
            continue
        if name in annotations and value is not None:  # the program may fill in what is null
            yield _full_key(cfg, name), value, annotations[name]
        if isinstance(value, DictConfig | ListConfig):
            yield from _plain_settings(value, allowed, read)


def _full_key(cfg: DictConfig | ListConfig, name: Any) -> str:
    """Return the key to change: for a value that refers to another key, that key."""
    node: Any = cfg._get_node(name)
    return (node._dereference_node() if node._is_interpolation() else node)._get_full_key(None)


def _plain_annotations(
    target: str, allowed: Sequence[str], read: Callable[[str], dict[str, object]]
) -> dict[str, object]:
    """Return {parameter: annotation} of a class or function, for the parameters of plain types."""
    if not any(fnmatch.fnmatchcase(target, pattern) for pattern in allowed):
        return {}
    found = read(target)
    known = {name: annotation for name, annotation in _FOREIGN_TYPES.get(target, {}).items() if name in found}
    return {name: annotation for name, annotation in (found | known).items() if _is_plain(annotation)}


def _imported_annotations(target: str) -> dict[str, object]:
    """Import a class or function and return the annotations of its parameters.

    Raises:
        ConfigError: It needs a package that is not installed.
    """
    try:
        parameters = inspect.signature(_locate(target)).parameters.values()
    except (ImportError, InstantiationException, TypeError, ValueError) as error:
        missing = missing_package(error)
        if missing:
            raise ConfigError(missing) from None
        return {}  # building the target reports what is wrong with it
    return {parameter.name: parameter.annotation for parameter in parameters}


def _is_plain(annotation: object) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return all(_is_plain(part) for part in get_args(annotation))
    return _bare(annotation) in _PLAIN_TYPES


def _also_numbers(annotation: object) -> object:
    """Let text be a number: the command line reads a name such as 2024 as one."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return Union[annotation, int, float] if str in map(_bare, parts) else annotation  # noqa: UP007 (of a variable)


def _bare(annotation: object) -> object:
    """Return a type without its limits."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
