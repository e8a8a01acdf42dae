"""Cache of a model's answers to a set of tracks, one file per model and condition.

An interrupted report continues from this cache.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from musicrec.errors import MusicrecError
from musicrec.system.atomic_write import atomic_write, remove_leftovers
from musicrec.system.version import VERSION

FORMAT = 1
_HEAD = "head/"  # begins the names of the heads' tensors in a file
_OTHER_TENSORS = ("embedding", "shift_semitones", "tempo_ratio")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What one model computes from a set of tracks under one condition.

    Attributes:
        probabilities: {head: (tracks, classes)}, the mean over the chunks of each track, at temperature 1; of a
            frame-wise head (tracks, classes, frames), from the start of its excerpt, NaN where nothing was heard.
        embedding: (tracks, embedding size), the mean over the chunks of each track.
        shift_semitones: (tracks,), by how much the deformation raised the pitch.
        tempo_ratio: (tracks,), by how much the deformation sped up the music: 1.1 is 10 % faster.
        seconds: Seconds of computation for "deforming", "mel" and "network".
        audio_s: Length of all excerpts together, in seconds.
    """

    probabilities: dict[str, Tensor]
    embedding: Tensor
    shift_semitones: Tensor
    tempo_ratio: Tensor
    seconds: dict[str, float]
    audio_s: float


class AnswerCache:
    """A folder with one file of answers per model and condition.

    Args:
        folder: Made by the first write.
        settings: All that determines the answers, apart from model and condition; in plain JSON types.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder, self.settings = folder, {"format": FORMAT, "version": VERSION, **settings}

    def path(self, fingerprint: str, condition: str) -> Path:
        """Return the file for a model and a condition.

        Args:
            fingerprint: Checksum of the model.
            condition: Description of the condition.
        """
        # These names are part of the hash: another name would orphan all cached files.
        key = json.dumps({**self.settings, "export": fingerprint, "condition": condition}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.safetensors"

    def read(self, fingerprint: str, condition: str, *, heads: Sequence[str]) -> Answers | None:
        """Return the cached answers; None if there are none, if a head has none, or if the file is damaged.

        Args:
            fingerprint: Checksum of the model.
            condition: Description of the condition.
            heads: Names of the heads.
        """
        try:
            with safe_open(self.path(fingerprint, condition), framework="pt") as file:
                about = json.loads(file.metadata()["about"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            others = {name: tensors.pop(name) for name in _OTHER_TENSORS}
            probabilities = {name: tensors[f"{_HEAD}{name}"] for name in heads}
            return Answers(probabilities=probabilities, **others, seconds=about["seconds"], audio_s=about["audio_s"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    def remove_leftovers(self) -> None:
        """Remove the temporary files of runs that were killed; younger files, of a run at work, stay."""
        if self.folder.is_dir():
            remove_leftovers(self.folder)

    def write(self, fingerprint: str, condition: str, answers: Answers) -> None:
        """Write answers, completely or not at all.

        Args:
            fingerprint: Checksum of the model.
            condition: Description of the condition.
            answers: The answers of the model under the condition.

        Raises:
            MusicrecError: The folder cannot be written.
        """
        path = self.path(fingerprint, condition)
        tensors = {f"{_HEAD}{name}": values for name, values in answers.probabilities.items()}
        tensors |= {name: getattr(answers, name) for name in _OTHER_TENSORS}
        about = json.dumps({"seconds": answers.seconds, "audio_s": answers.audio_s})
        content = save({name: values.contiguous() for name, values in tensors.items()}, {"about": about})
        try:
            with atomic_write(path, "wb", error=None) as file:
                file.write(content)
        except OSError as error:
            raise MusicrecError(
                f"cannot write {path}: {error}; free some space, or choose another folder (paths.cache)"
            ) from error
