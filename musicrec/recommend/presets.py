"""Presets: settings of a recommendation that belong together, each a YAML file. Read without Hydra."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from musicrec.config.number_types import NotNegative
from musicrec.config.value_check import check_choice, check_value
from musicrec.errors import ConfigError
from musicrec.recommend.filters import TagFilter
from musicrec.recommend.key_relations import KeyTable
from musicrec.recommend.musical_filters import MusicalFilters
from musicrec.recommend.reranking.rerank import Reranking

PASSAGES = ("whole", "outro_to_intro", "intro_to_outro", "best")
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of a recommendation.

    Attributes:
        name: Name of the preset, or of its file.
        about: What it is for, in a few words.
        weights: {block: weight}; what is not named counts 0.
        tags: The first step.
        filters: Filters on musical facts.
        reranking: How the best tracks are put in their last order: diversity, and hubs.
        passage: "whole" compares whole tracks. "outro_to_intro" also compares the end of the query with the beginnings
            of the others, "intro_to_outro" its beginning with their ends, "best" the passages of both that fit best.

    Raises:
        ConfigError: A value is out of range.
    """

    name: str
    about: str = ""
    weights: Mapping[str, float]
    tags: TagFilter = field(default_factory=TagFilter)
    filters: MusicalFilters = field(default_factory=MusicalFilters)
    reranking: Reranking = field(default_factory=Reranking)
    passage: str = "whole"

    def __post_init__(self) -> None:
        check_choice("preset.passage", self.passage, PASSAGES)
        for block, weight in self.weights.items():
            check_value(f"preset.weights.{block}", weight, NotNegative)
        if not any(self.weights.values()):
            raise ConfigError("weights: give a weight above 0 to at least one block, as in embedding: 1")

    def weights_for(self, blocks: Collection[str]) -> dict[str, float]:
        """Return the weight of every block of a library: those of the preset, and 0 for blocks it does not name.

        Args:
            blocks: The blocks that the library has.

        Raises:
            ConfigError: The library has none of the blocks that count.
        """
        found = {block: float(self.weights.get(block, 0.0)) for block in blocks}
        if not any(found.values()):
            counted = ", ".join(block for block, weight in self.weights.items() if weight)
            raise ConfigError(
                f"preset {self.name}: the library has none of its blocks ({counted}); it has: {', '.join(blocks)}"
            )
        return found


def preset_names() -> list[str]:
    """Return the names of the presets that ship."""
    return _shipped("preset")


def key_table_names() -> list[str]:
    """Return the names of the tables of compatible keys that ship."""
    return _shipped("key_table")


def read_preset(name: str | Path) -> Preset:
    """Read a preset.

    Args:
        name: The name of one that ships, or a YAML file of your own.

    Raises:
        ConfigError: There is no such preset, or its file has a mistake.
    """
    file, settings = _read("preset", name)
    return preset_from(settings, name=file.stem, source=str(name))


def read_key_table(name: str | Path) -> KeyTable:
    """Read a table of compatible keys.

    Args:
        name: The name of one that ships, or a YAML file of your own.

    Raises:
        ConfigError: There is no such table, or its file has a mistake.
    """
    _, settings = _read("key_table", name)
    with _naming(f"key_table {name}"):
        return KeyTable(**_known(KeyTable, settings))


def preset_from(settings: Mapping[str, Any], *, name: str, source: str | None = None) -> Preset:
    """Return a preset from the content of its file, or of a group of Hydra's config as plain Python types.

    Args:
        settings: The settings, as in `conf/preset/mix.yaml`.
        name: Name of the preset.
        source: What messages name; by default the name.

    Raises:
        ConfigError: A setting does not exist or is out of range.
    """
    with _naming(f"preset {source or name}"):
        given = {key: value for key, value in _known(Preset, settings).items() if value is not None}
        for part in ("weights", "tags", "filters", "reranking"):
            if not isinstance(given.setdefault(part, {}), Mapping):
                raise ConfigError(f"{part}={given[part]}: give settings, one per line")
        with _naming("tags"):
            tags = _known(TagFilter, given["tags"])
        with _naming("reranking"):
            reranking = _known(Reranking, given["reranking"])
        made = {
            "name": name,
            "weights": {str(block): weight for block, weight in given["weights"].items() if weight is not None},
            "tags": TagFilter(**tags),
            "filters": filters_from(given["filters"]),
            "reranking": Reranking(**reranking),
        }
        return Preset(**{**given, **made})


def filters_from(settings: Mapping[str, Any]) -> MusicalFilters:
    """Return filters from settings as they stand in a preset.

    Args:
        settings: The settings of `MusicalFilters`; `key_table` is a name, a file, or scores by name.

    Raises:
        ConfigError: A setting does not exist or is out of range.
    """
    with _naming("filters"):
        given = _known(MusicalFilters, settings)
        table = given.pop("key_table", None)
        if isinstance(table, Mapping):
            with _naming("key_table"):
                given["key_table"] = KeyTable(**_known(KeyTable, table))
        elif table is not None:
            given["key_table"] = table if isinstance(table, KeyTable) else read_key_table(table)
    return MusicalFilters(**given)


@contextmanager
def _naming(source: str) -> Iterator[None]:
    """Let messages begin with what the settings belong to."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None


def _folder(group: str) -> Path:
    return Path(__file__).parents[1] / "conf" / group


def _shipped(group: str) -> list[str]:
    return sorted(path.stem for path in _folder(group).glob("*.yaml"))


def _read(group: str, name: str | Path) -> tuple[Path, dict[str, Any]]:
    """Return a file of a group of the config, or of the user, and what is in it."""
    import yaml  # here, as it takes longer to import than most commands need it

    names = _shipped(group)
    if str(name) in names:
        file = _folder(group) / f"{name}.yaml"
    else:
        file = Path(name).expanduser()
        if file.suffix.lower() not in _SUFFIXES:
            raise ConfigError(f"{group}={name}: choose from: {', '.join(names)}; or give a file of your own, NAME.yaml")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise ConfigError(f"{group} {file} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{group} {file}{line}: it is no YAML; {getattr(error, 'problem', error)}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{group} {file}: give settings, as in the file {_folder(group) / names[0]}.yaml")
    return file, content


def _known(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a dataclass, after checking that they exist."""
    names = [one.name for one in fields(kind) if one.name != "name"]
    for key in settings:
        if key not in names:
            raise ConfigError(f"no setting {key!r}; choose from: {', '.join(names)}")
    return dict(settings)
