"""What is done to the audio: nothing, and every deformation at each of its strengths."""

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


@dataclass(frozen=True, kw_only=True)
class Condition:
    """name: of the deformation, as on the command line. title, unit: in tables and at axes. strength: None for a
    deformation that has none. deformation: None for the clean audio. described: all that determines it, as JSON."""

    name: str
    title: str
    deformation: Deformation | None
    described: str
    unit: str = ""
    strength: float | str | None = None

    @property
    def label(self) -> str:
        """The strength in words: "-1 semitones", "" where there is none."""
        if self.strength is None:
            return ""
        shown = self.strength if isinstance(self.strength, str) else f"{self.strength:g}"
        return shown if self.unit in ("band", "preset") else f"{shown} {self.unit}"


CLEAN = Condition(name="clean", title="clean", deformation=None, described="clean")


def list_conditions(sweeps: Mapping[str, Sweep], described: Mapping[str, dict]) -> list[Condition]:
    """Every deformation at each of its strengths, in the given order; the clean audio is not among them.

    described: the deformations' settings in plain types, by the same names.
    Raises ConfigError where there is none, and for a strength that a deformation cannot have.
    """
    found = [
        Condition(
            name=name,
            title=sweep.title,
            unit=sweep.unit,
            strength=strength,
            deformation=deformation,
            described=json.dumps(
                [described[name]["deformation"], sweep.setting, strength, _made_of(deformation)], sort_keys=True
            ),
        )
        for name, sweep in sweeps.items()
        for strength, deformation in sweep
    ]
    if not found:
        raise ConfigError("deformation: none is chosen; take deformation=all, or some, as in deformation=[mp3,gain]")
    return found


def _made_of(deformation: Deformation) -> str:
    """A digest of its code, and of the files that it reads: another one gives other audio by the same settings."""
    digest = hashlib.sha256(Path(inspect.getfile(type(deformation))).read_bytes())
    for path in getattr(deformation, "files", ()):
        about = Path(path).stat()
        digest.update(f"{path} {about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def deformed_ahead(conditions: Sequence[Condition], device: torch.device) -> list[int]:
    """Numbers of the conditions that processes on the CPU deform ahead of the networks on `device`: all where that is
    the CPU, too; beside a GPU only what no GPU can do, as the others take it less time than bringing them there."""
    return [
        number
        for number, condition in enumerate(conditions)
        if device.type == "cpu" or getattr(condition.deformation, "on_cpu", False)
    ]


def try_out(condition: Condition, *, sample_rate: int) -> None:
    """Deform a moment of silence, so that what cannot work is told before the first track."""
    if condition.deformation is not None:
        silence = torch.zeros(1, int(_TRIAL_SAMPLES * max(1.0, condition.deformation.input_ratio)) + 1)
        condition.deformation(silence, samples=_TRIAL_SAMPLES, sample_rate=sample_rate, seeds=[0])
