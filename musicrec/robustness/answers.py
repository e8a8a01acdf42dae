"""What a model said of some tracks under a condition: kept in a small file of its own, found again by what determined
it, so that a report that was interrupted goes on where it was."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from musicrec.errors import MusicrecError
from musicrec.recommend.exports import fingerprint
from musicrec.system.atomic_write import atomic_write, remove_leftovers
from musicrec.system.version import VERSION

FORMAT = 1
_HEAD = "head/"
_OTHERS = ("embedding", "shift_semitones", "tempo_ratio")
_ABANDONED_S = 3600.0  # no file takes that long to write


@dataclass(frozen=True, kw_only=True)
class Answers:
    """probabilities: {head: (tracks, classes)}, the mean over the chunks of each track, without temperature.
    embedding: (tracks, size). shift_semitones, tempo_ratio: (tracks,), what was done to them. seconds: {"deforming",
    "mel", "network"} that it took. audio_s: length of the excerpts."""

    probabilities: dict[str, Tensor]
    embedding: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor
    seconds: dict[str, float]
    audio_s: float


class AnswerStore:
    """A folder with a file for each model and condition. settings: what else determines the answers."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder, self.settings = folder, {"format": FORMAT, "version": VERSION, **settings}

    def path(self, export: str, condition: str) -> Path:
        """export: the fingerprint of the model. condition: its description."""
        determined_by = json.dumps({**self.settings, "export": export, "condition": condition}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(determined_by.encode()).hexdigest()[:40]}.safetensors"

    def read(self, export: str, condition: str) -> Answers | None:
        """What was kept; None where there is nothing, or a file that cannot be read."""
        try:
            with safe_open(self.path(export, condition), framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            others = {name: tensors.pop(name) for name in _OTHERS}
            probabilities = {name.removeprefix(_HEAD): values for name, values in tensors.items()}
            return Answers(probabilities=probabilities, **others, seconds=about["seconds"], audio_s=about["audio_s"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    def tidy(self) -> None:
        """Remove what runs that were killed left half-written; what a run beside this one is writing is newer."""
        if self.folder.is_dir():
            remove_leftovers(self.folder)

    def write(self, export: str, condition: str, answers: Answers) -> None:
        """Keep them: the file is there whole or not at all. Raises MusicrecError where the folder cannot be written."""
        path = self.path(export, condition)
        tensors = {f"{_HEAD}{name}": values for name, values in answers.probabilities.items()}
        tensors |= {name: getattr(answers, name) for name in _OTHERS}
        about = json.dumps({"seconds": answers.seconds, "audio_s": answers.audio_s})
        content = save({name: values.contiguous() for name, values in tensors.items()}, {"about": about})
        try:
            with atomic_write(path, "wb", error=None) as file:
                file.write(content)
        except OSError as error:
            raise MusicrecError(
                f"cannot write {path}: {error}; make room, or name another folder (paths.cache)"
            ) from error


def fingerprint_of(path: str | Path) -> str:
    """SHA-256 of what a model is read from: an export folder, or a checkpoint file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else fingerprint(path)
