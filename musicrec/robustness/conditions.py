"""The conditions of a report: the clean audio, and every deformation at each of its strengths."""

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from musicrec.deformations.base import Deformation
from musicrec.deformations.sweep import Sweep
from musicrec.errors import ConfigError

_TRIAL_SAMPLES = 4_000
_NAMED_STRENGTHS = ("band", "preset")  # strengths in these units are names, which need no unit behind them


@dataclass(frozen=True, kw_only=True)
class AudioCondition:
    """One deformation at one strength.

    Attributes:
        name: The name of the deformation, as on the command line.
        title: The title of the deformation, in tables and figures.
        deformation: None for the clean audio.
        description: All that determines the deformed audio, as JSON; part of the key of the answer cache.
        unit: The unit of the strength, for tables and axes.
        strength: None for a deformation without a strength.
    """

    name: str
    title: str
    deformation: Deformation | None
    description: str
    unit: str = ""
    strength: float | str | None = None

    @property
    def has_unit(self) -> bool:
        """Whether the strength is written with its unit."""
        return self.unit not in _NAMED_STRENGTHS

    @property
    def strength_text(self) -> str:
        """The strength without its unit, such as "-1"; "" for none."""
        if self.strength is None:
            return ""
        return self.strength if isinstance(self.strength, str) else f"{self.strength:g}"

    @property
    def label(self) -> str:
        """The strength with its unit, such as "-1 semitones"; "" for none."""
        if self.strength is None or not self.has_unit:
            return self.strength_text
        return f"{self.strength_text} {self.unit}"


CLEAN = AudioCondition(name="clean", title="clean", deformation=None, description="clean")


def list_conditions(sweeps: Mapping[str, Sweep], settings: Mapping[str, dict]) -> list[AudioCondition]:
    """Return every deformation at each of its strengths, in the given order and without the clean audio.

    Args:
        sweeps: {name: deformation at several strengths}.
        settings: {name: settings of the deformation in plain JSON types}.

    Raises:
        ConfigError: There is no deformation, or a deformation cannot have one of its strengths.
    """
    found = [
        AudioCondition(
            name=name,
            title=sweep.title,
            unit=sweep.unit,
            strength=strength,
            deformation=deformation,
            description=json.dumps(
                [settings[name]["deformation"], sweep.setting, strength, _source_digest(deformation)], sort_keys=True
            ),
        )
        for name, sweep in sweeps.items()
        for strength, deformation in sweep
    ]
    if not found:
        raise ConfigError(
            "deformation: none is chosen; give deformation=all, or some of them, such as deformation=[mp3,gain]"
        )
    return found


def _source_digest(deformation: Deformation) -> str:
    """Return a checksum of the code and of the files of a deformation: either changes the audio without a setting."""
    digest = hashlib.sha256(Path(inspect.getfile(type(deformation))).read_bytes())
    for path in getattr(deformation, "files", ()):
        status = Path(path).stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def conditions_for_workers(conditions: Sequence[AudioCondition], device: torch.device) -> list[int]:
    """Return the indices of the conditions that worker processes on the CPU deform in advance.

    If the networks run on the CPU, these are all. Beside a GPU they are those that only a CPU can do: the GPU takes
    less time for the others than it takes to copy the deformed audio.

    Args:
        conditions: The conditions of the report.
        device: The device of the networks.
    """
    return [
        index
        for index, condition in enumerate(conditions)
        if device.type == "cpu" or getattr(condition.deformation, "on_cpu", False)
    ]


def keeps_time(condition: AudioCondition) -> bool:
    """Return whether events stay where they were, up to the change of tempo, so that labels with times can follow."""
    return getattr(condition.deformation, "keeps_time", True)


def check_condition(condition: AudioCondition, *, sample_rate: int) -> None:
    """Deform a moment of silence, so that a mistake shows before the first track is read.

    Args:
        condition: To check.
        sample_rate: In Hz.

    Raises:
        MusicrecError: The deformation does not work.
    """
    if condition.deformation is not None:
        silence = torch.zeros(1, int(_TRIAL_SAMPLES * max(1.0, condition.deformation.input_ratio)) + 1)
        condition.deformation(silence, samples=_TRIAL_SAMPLES, sample_rate=sample_rate, seeds=[0])
