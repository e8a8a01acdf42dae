"""Index your music, then ask which tracks go with a track. `musicrec recommend --help` explains how.

`musicrec index` and `musicrec query` do the same with options instead of settings; all of them use a `Recommender`
through the functions of this module's neighbour, `library_commands`.
"""

from omegaconf import DictConfig

from musicrec.config.number_types import Count, PositiveShare
from musicrec.config.value_check import check_choice, check_value
from musicrec.errors import ConfigError
from musicrec.programs import library_commands
from musicrec.programs.build import listed
from musicrec.programs.query_config import settings_of
from musicrec.runs.find import find_export


def main(cfg: DictConfig) -> None:
    """Run the action that the config names."""
    actions = {"index": index, "query": query, "evaluate": evaluate, "listen": listen}
    if cfg.action not in actions:
        raise ConfigError(f"action={cfg.action}: choose action={' or action='.join(actions)}; see --help")
    actions[cfg.action](cfg)


def index(cfg: DictConfig) -> None:
    """Bring a library up to date with a folder of music or another source; create it if it does not exist."""
    if cfg.source is None:
        raise ConfigError("source: name a folder of music or another source, as in source=~/Music")
    check_value("max_files", cfg.max_files, Count | None)
    check_value("coverage", cfg.coverage, PositiveShare | None)
    library_commands.index(
        cfg.source,
        library=cfg.library,
        models=export_folders(cfg),
        splits=listed(cfg.splits),
        max_files=cfg.max_files,
        device=cfg.device,
        engine=cfg.engine,
        coverage=cfg.coverage,
        relocate=[str(moved) for moved in listed(cfg.relocate)],
    )


def query(cfg: DictConfig) -> None:
    """Print the tracks of a library that go with a track."""
    if cfg.query is None:
        raise ConfigError("query: name an audio file, or a track of the library by its track_id or title")
    check_choice("format", cfg.format, ("table", "json"))
    library_commands.query(
        [str(name) for name in listed(cfg.query)],
        library=cfg.library,
        unlike=[str(name) for name in listed(cfg.unlike)],
        playlist=cfg.playlist,
        towards=None if cfg.towards is None else str(cfg.towards),
        at_s=cfg.at_s,
        k=cfg.k,
        models=export_folders(cfg),
        min_pool=cfg.min_pool,
        include_unreliable=cfg.include_unreliable,
        search=cfg.search,
        device=cfg.device,
        engine=cfg.engine,
        coverage=cfg.coverage,
        user=cfg.user,
        profiles=cfg.profiles,
        as_json=cfg.format == "json",
        **settings_of(cfg),
    )


def evaluate(cfg: DictConfig) -> None:
    """Measure how good the rankings of a library are."""
    from musicrec.programs import recommend_evaluation  # here, as a query needs none of it

    recommend_evaluation.evaluate(cfg)


def listen(cfg: DictConfig) -> None:
    """Write a blind listening test, or read the answers to one."""
    from musicrec.programs import recommend_evaluation

    recommend_evaluation.listen(cfg)


def export_folders(cfg: DictConfig) -> list[str]:
    """Return the exports that the config names; `best` and `best:STUDY` are looked up in the runs."""
    return [find_export(export, runs=cfg.paths.runs) for export in listed(cfg.exports)]
