"""The models that a report tests."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
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
        ConfigError: No model is given, one is given twice or has only frame-wise heads, or the models need audio at
            different sample rates.
    """
    if not paths:
        raise ConfigError("export: no model is given; give export=PATH, an export folder or a checkpoint of train.py")
    models = [ModelUnderTest(name=path, model=_by_track(path), fingerprint=_fingerprint(path)) for path in paths]
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


def _by_track(path: str) -> Model:
    """Read a model without its frame-wise heads, whose labels have times: a report scores answers to whole tracks.

    Raises:
        ConfigError: It has no other heads.
    """
    model = read_model(path)
    heads = by_track(model.heads)
    if not heads:
        raise ConfigError(
            f"export={path}: {', '.join(head.name for head in model.heads)} answers for every frame, which a "
            "robustness report does not score; experiments/beats measures beats at other speeds"
        )
    return dataclasses.replace(model, heads=heads)


def _fingerprint(path: str) -> str:
    """Return the SHA-256 of an export folder or of a checkpoint file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else fingerprint(path)
