"""The models under test, and the labels that they are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from torch import Tensor

from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError
from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.export.checkpoint import read_model
from musicrec.export.description import Model
from musicrec.robustness.answers import fingerprint_of


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model under test. name: as the user gave it. fingerprint: of what it was read from."""

    name: str
    model: Model
    fingerprint: str


def read_subjects(paths: Sequence[str]) -> list[Subject]:
    """Raises ConfigError for none, for one that is given twice, and for models that need different audio."""
    if not paths:
        raise ConfigError("nothing to test; give export=PATH, an export folder or a checkpoint of train.py")
    found = [Subject(name=path, model=read_model(path), fingerprint=fingerprint_of(path)) for path in paths]
    first = found[0]
    for number, one in enumerate(found):
        if one.fingerprint in [other.fingerprint for other in found[:number]]:
            raise ConfigError(f"export={one.name}: the same model is given twice; name each once")
        if one.model.sample_rate != first.model.sample_rate:
            raise ConfigError(
                f"export: {first.name} hears audio at {first.model.sample_rate} Hz, {one.name} at "
                f"{one.model.sample_rate} Hz, and one deformation cannot serve both; make a report of each"
            )
    return found


def left_out_of_comparison(subjects: Sequence[Subject]) -> list[str]:
    """A remark where no two of several models answer the same question."""
    names = [{head.name for head in one.model.heads} for one in subjects]
    if len(subjects) < 2 or sum(map(len, names)) > len(set.union(*names)):
        return []
    return ["a comparison: no two of these models have a head in common, so they stand side by side"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """frame: the rows of the manifest of the tracks that are heard. labels: of each subject, {head: labels}. left_out:
    what cannot be told of them, and why."""

    name: str
    frame: pl.DataFrame
    labels: list[dict[str, Tensor]]
    left_out: list[str]

    @property
    def artists(self) -> list[str | None]:
        return self.frame["artist"].to_list()


def read_split(
    name: str,
    data: MusicDataModule,
    subjects: Sequence[Subject],
    frame: pl.DataFrame,
    bootstrap: Bootstrap | None,
) -> Split:
    """What the tracks in `frame` are scored against.

    Raises ConfigError where no head of a model has a label, or where the tracks give none of the intervals.
    """
    labels, left_out = [], [] if bootstrap is None else bootstrap.check(frame["artist"].to_list(), split=name)
    for one in subjects:
        found = {head.name: data.labels(head, frame) for head in one.model.heads}
        without = [head for head, target in found.items() if target.isnan().all()]
        if len(without) == len(found):
            raise ConfigError(
                f"export={one.name}: no track of {data.manifest_path} in split '{name}' is labelled for "
                f"{', '.join(found)}; fill these columns, or choose other data or splits"
            )
        labels.append(found)
        left_out += [f"{head} of {one.name}: no track of '{name}' is labelled for it" for head in without]
    return Split(name=name, frame=frame, labels=labels, left_out=left_out)
