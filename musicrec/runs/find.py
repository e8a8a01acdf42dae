"""Finding runs by what they reached."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.errors import ConfigError
from musicrec.runs.record_file import FILE, read_run

BEST, ALL = "best", "all:"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder and its record."""

    folder: Path
    record: dict

    @property
    def objective(self) -> float | None:
        return (self.record["objective"] or {}).get("value")

    @property
    def judged_by(self) -> str:
        """What its objective is the value of: only runs in which all of this is equal can be ranked by it."""
        reached, config = self.record["objective"], self.record["config"]
        heads = ", ".join(name for name, head in config["task"]["heads"].items() if head is not None)
        return f"{reached['metric']} ({reached['mode']}) of {heads} on {config['data']['valid_split']} of {self.data}"

    @property
    def data(self) -> str:
        """The manifest, its hash, and how many tracks of each split the figures are of: training on fewer tracks does
        not change what is measured."""
        data, training = self.record["data"], self.record["config"]["data"]["train_split"]
        splits = ", ".join(f"{split} {count}" for split, count in data["tracks"].items() if split != training)
        return f"{data['manifest']} {data['manifest_hash'][:12]} ({splits})"


def find_runs(folder: str | Path) -> list[Run]:
    """Every run with a record at or below a folder, by path. Raises ConfigError where there is none."""
    folder = Path(folder).expanduser()
    found = [Run(folder=path.parent, record=read_run(path.parent)) for path in sorted(folder.rglob(FILE))]
    if not found:
        raise ConfigError(f"{folder}: there is no run below it; train.py writes a {FILE} into every run folder")
    return found


def finished(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.record["status"] == "finished" and run.objective is not None]


def find_export(named: str, *, runs: str | Path) -> str:
    """The export folder that a name stands for: "best" is that of the best run below `runs`, "best:STUDY" that of the
    best below runs/STUDY (or below the folder STUDY), and anything else is a path already.

    Says which one it is. Raises ConfigError where there is none, or where the runs cannot be ranked.
    """
    if named != BEST and not named.startswith(f"{BEST}:"):
        return named
    below, candidates = _with_exports(named, study=named.removeprefix(BEST).removeprefix(":"), runs=runs)
    judged: dict[str, list[Run]] = {}
    for run in candidates:
        judged.setdefault(run.judged_by, []).append(run)
    if len(judged) > 1:
        groups = "; ".join(f"{what}: {_some(group)}" for what, group in judged.items())
        raise ConfigError(
            f"export={named}: the {len(candidates)} runs below {below} were judged by different things, and none of "
            f"them is the best of all ({groups}); name a folder of runs that compare, as in export=best:STUDY"
        )
    sign = 1 if candidates[0].record["objective"]["mode"] == "max" else -1
    best = max(candidates, key=lambda run: sign * run.objective)
    metric = best.record["objective"]["metric"]
    chosen = f"{named}: {best.folder} ({metric} {best.objective:.4f}, of {len(candidates)} runs below {below})"
    print(chosen, file=sys.stderr)  # what a program answers may be read by another one
    return str(best.folder / "export")


def find_all(named: str, *, runs: str | Path) -> list[Run]:
    """The finished runs that "all:STUDY" stands for, those below runs/STUDY or below the folder STUDY, by number.

    Raises ConfigError where there is none.
    """
    _, found = _with_exports(named, study=named.removeprefix(ALL), runs=runs)
    return sorted(found, key=lambda run: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", str(run.folder))])


def _with_exports(named: str, *, study: str, runs: str | Path) -> tuple[Path, list[Run]]:
    """The folder that `named` means, and the finished runs below it that have an export."""
    below = Path(runs).expanduser() / study
    if study and not below.is_dir() and Path(study).expanduser().is_dir():
        below = Path(study).expanduser()
    if not below.is_dir():
        raise ConfigError(f"export={named}: there is no folder {below}; paths.runs says where the runs are")
    candidates = [run for run in finished(find_runs(below)) if (run.folder / "export").is_dir()]
    if not candidates:
        raise ConfigError(f"export={named}: no run below {below} has finished with an export")
    return below, candidates


def _some(runs: Sequence[Run]) -> str:
    more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    return f"{runs[0].folder}{more}"
