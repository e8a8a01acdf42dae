"""Search for runs by their results."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.errors import ConfigError
from musicrec.export import catalogue
from musicrec.runs.record_file import FILE, read_run

BEST, ALL = "best", "all:"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder and its record.

    Attributes:
        folder: The run folder.
        record: The content of its run.json.
    """

    folder: Path
    record: dict

    @property
    def objective(self) -> float | None:
        """The best value of the metric that training monitored; None if there is none."""
        return (self.record["objective"] or {}).get("value")

    @property
    def ranking_basis(self) -> str:
        """What the objective measures. Only runs with the same basis can be ranked by their objectives."""
        objective, config = self.record["objective"], self.record["config"]
        heads = ", ".join(name for name, head in config["task"]["heads"].items() if head is not None)
        return (
            f"{objective['metric']} ({objective['mode']}) of {heads} on {config['data']['valid_split']} of {self.data}"
        )

    @property
    def data(self) -> str:
        """The manifest, its hash, and the number of tracks in each split but the training split.

        The training split is left out because the tracks in it do not change what the metrics measure.
        """
        data, training = self.record["data"], self.record["config"]["data"]["train_split"]
        splits = ", ".join(f"{split} {count}" for split, count in data["tracks"].items() if split != training)
        return f"{data['manifest']} {data['manifest_hash'][:12]} ({splits})"


def find_runs(folder: str | Path) -> list[Run]:
    """Return all runs with a record in or below a folder, ordered by path.

    Raises:
        ConfigError: If there is no run.
    """
    folder = Path(folder).expanduser()
    found = [Run(folder=path.parent, record=read_run(path.parent)) for path in sorted(folder.rglob(FILE))]
    if not found:
        raise ConfigError(f"{folder}: there is no run in or below this folder; train.py writes {FILE} into run folders")
    return found


def finished_runs(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that have finished with an objective."""
    return [run for run in runs if run.record["status"] == "finished" and run.objective is not None]


def find_export(name: str, *, runs: str | Path) -> str:
    """Return the export folder that a name stands for; of the best run, print which it is.

    Args:
        name: "best" for the best run below `runs`, "best:STUDY" for the best run below runs/STUDY or, if that does
            not exist, below the folder STUDY. Otherwise a model of the catalogue, such as "tempo", or a path, which is
            returned unchanged (`catalogue.resolve`).
        runs: The folder with all runs.

    Raises:
        ConfigError: If no run has finished with an export, or if the runs cannot be ranked.
        ExportError: If the model of this name has not been fetched, or there is neither such a name nor such a path.
    """
    if name != BEST and not name.startswith(f"{BEST}:"):
        return str(catalogue.resolve(name))
    folder, candidates = _find_exported_runs(name, study=name.removeprefix(BEST).removeprefix(":"), runs=runs)
    by_basis: dict[str, list[Run]] = {}
    for run in candidates:
        by_basis.setdefault(run.ranking_basis, []).append(run)
    if len(by_basis) > 1:
        groups = "; ".join(f"{basis}: {_summarise(group)}" for basis, group in by_basis.items())
        raise ConfigError(
            f"export={name}: the {len(candidates)} runs below {folder} differ in their labels, data or metrics, so "
            f"there is no best one ({groups}); name a folder of comparable runs, as in export=best:STUDY"
        )
    sign = 1 if candidates[0].record["objective"]["mode"] == "max" else -1
    best = max(candidates, key=lambda run: sign * run.objective)
    metric = best.record["objective"]["metric"]
    message = f"{name}: {best.folder} ({metric} {best.objective:.4f}, best of {len(candidates)} runs below {folder})"
    print(message, file=sys.stderr)  # standard output is for results, which another program may read
    return str(best.folder / "export")


def find_sweep_runs(name: str, *, runs: str | Path) -> list[Run]:
    """Return the finished runs with an export that "all:STUDY" stands for, ordered by job number.

    Args:
        name: "all:STUDY" for the runs below runs/STUDY or, if that does not exist, below the folder STUDY.
        runs: The folder with all runs.

    Raises:
        ConfigError: If there are none.
    """
    _, found = _find_exported_runs(name, study=name.removeprefix(ALL), runs=runs)
    return sorted(found, key=lambda run: _numeric_order(str(run.folder)))


def _find_exported_runs(name: str, *, study: str, runs: str | Path) -> tuple[Path, list[Run]]:
    """Return the folder that `name` refers to, and the finished runs below it that have an export."""
    folder = Path(runs).expanduser() / study
    if study and not folder.is_dir() and Path(study).expanduser().is_dir():
        folder = Path(study).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"export={name}: there is no folder {folder}; paths.runs sets the folder with the runs")
    candidates = [run for run in finished_runs(find_runs(folder)) if (run.folder / "export").is_dir()]
    if not candidates:
        raise ConfigError(f"export={name}: no run below {folder} has finished with an export")
    return folder, candidates


def _numeric_order(text: str) -> list[str | int]:
    """Return a sort key that puts job 2 before job 10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def _summarise(runs: Sequence[Run]) -> str:
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"{runs[0].folder}{more}"
