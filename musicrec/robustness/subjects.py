"""The models under test, and the labels that they are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from torch import Tensor

from musicrec.data.datamodule import MusicDataModule
from musicrec.errors import ConfigError
from musicrec.export import Model, read_model
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


def read_labels(data: MusicDataModule, subject: Subject, frame: pl.DataFrame) -> tuple[dict[str, Tensor], list[str]]:
    """{head: labels} of rows of the manifest, and why some heads will have no score.

    Raises ConfigError where no head of the model has a label.
    """
    labels = {head.name: data.labels(head, frame) for head in subject.model.heads}
    without = [name for name, target in labels.items() if target.isnan().all()]
    if len(without) == len(labels):
        raise ConfigError(
            f"export={subject.name}: no track of {data.manifest_path} in split '{frame['split'][0]}' is labelled for "
            f"{', '.join(labels)}; fill these columns, or choose other data or splits"
        )
    return labels, [
        f"{name} of {subject.name}: no track of '{frame['split'][0]}' is labelled for it" for name in without
    ]
