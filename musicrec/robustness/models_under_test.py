"""The models that a report tests."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from musicrec.errors import ConfigError
from musicrec.export.checkpoint import read_model
from musicrec.export.description import Model
from musicrec.heads.frames import by_track
from musicrec.recommend.exports import fingerprint


@dataclass(frozen=True, kw_only=True)
class ModelUnderTest:
    """A model that a report tests.

    Attributes:
        name: The path that the user gave.
        model: Network, front end and heads.
        fingerprint: SHA-256 of the files of the model.
    """

    name: str
    model: Model
    fingerprint: str


def read_models(paths: Sequence[str]) -> list[ModelUnderTest]:
    """Read the models of a report.

    Args:
        paths: Export folders or checkpoint files.

    Raises:
        ConfigError: No model is given, one is given twice, or the models need audio at different sample rates.
    """
    if not paths:
        raise ConfigError("export: no model is given; give export=PATH, an export folder or a checkpoint of train.py")
    models = [ModelUnderTest(name=path, model=read_model(path), fingerprint=_fingerprint(path)) for path in paths]
    first = models[0]
    for index, tested in enumerate(models):
        if tested.fingerprint in [other.fingerprint for other in models[:index]]:
            raise ConfigError(f"export={tested.name}: the same model is given twice; give each model once")
        if tested.model.sample_rate != first.model.sample_rate:
            raise ConfigError(
                f"export: {first.name} needs audio at {first.model.sample_rate} Hz, {tested.name} at "
                f"{tested.model.sample_rate} Hz, but all models of a report get the same deformed audio; make one "
                "report per model"
            )
    return models


def comparison_remarks(models: Sequence[ModelUnderTest]) -> list[str]:
    """Return why a report cannot compare its models with each other: one remark, or none."""
    names = [{head.name for head in tested.model.heads} for tested in models]
    if len(models) < 2 or sum(map(len, names)) > len(set.union(*names)):
        return []
    return ["comparison of the models: no two of them have a head in common"]


def without_frames(models: Sequence[ModelUnderTest], *, excerpts: int) -> tuple[list[ModelUnderTest], list[str]]:
    """Leave out frame-wise heads where tracks are heard in several excerpts: their labels have times of one recording.

    Args:
        models: To be tested.
        excerpts: Per track.

    Returns:
        The models, and one remark per model that lost heads.

    Raises:
        ConfigError: A model has no other heads.
    """
    if excerpts == 1:
        return list(models), []
    kept, remarks = [], []
    for tested in models:
        heads = by_track(tested.model.heads)
        names = ", ".join(head.name for head in tested.model.heads if head not in heads)
        if not heads:
            raise ConfigError(
                f"measurement.excerpts={excerpts}: {names} of {tested.name} answers for every frame of one excerpt; "
                "give measurement.excerpts=1, and a longer measurement.excerpt_s to hear more of each track"
            )
        if names:
            remarks.append(f"{names} of {tested.name}: not scored with several excerpts per track")
        kept.append(replace(tested, model=replace(tested.model, heads=heads)))
    return kept, remarks


def _fingerprint(path: str) -> str:
    """Return the SHA-256 of an export folder or of a checkpoint file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else fingerprint(path)
