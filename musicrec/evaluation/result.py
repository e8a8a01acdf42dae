"""Predictions of a model on the tracks of splits, with what is needed to score them again or compare two models."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from musicrec.errors import ConfigError
from musicrec.evaluation.head_scores import Predictions
from musicrec.heads import Head, from_dict, to_dict
from musicrec.system.atomic_write import atomic_write, write_json

_TRACKS = {"split": pl.String, "track_id": pl.String, "artist": pl.String}


@dataclass(frozen=True, kw_only=True)
class Result:
    """Predictions of one model.

    Attributes:
        name: The model as the user named it.
        heads: Heads of the model, with the temperatures and thresholds that were applied.
        predictions: {split: {head: (probabilities, target)}}.
        tracks: Columns split, track_id and artist, in the order of the predictions.
        about: Model and data in JSON types, among them `dataset`, `manifest_hash` and `split_hashes`, which is {split:
            hash of its tracks and labels}.
        raw: {split: {head: probabilities}} without temperatures; empty in a result that was read from a file.
    """

    name: str
    heads: list[Head]
    predictions: dict[str, Predictions]
    tracks: pl.DataFrame
    about: dict
    raw: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def artists(self, split: str) -> list[str | None]:
        """Return the artist of every track of a split, None if unknown."""
        return self.tracks.filter(pl.col("split") == split)["artist"].to_list()

    def track_ids(self, split: str) -> list[str]:
        """Return the names of the tracks of a split."""
        return self.tracks.filter(pl.col("split") == split)["track_id"].to_list()

    def title(self, split: str) -> list[str]:
        """Return lines that name the model, the data and the pooling, for a heading."""
        about = self.about
        lines = [self.name, f"{about['dataset']}, {split} (tracks and labels {about['split_hashes'][split][:12]})"]
        trained = about.get("trained_on") or {}
        if trained.get("manifest_hash") not in (None, about["manifest_hash"]):
            lines.append(f"trained on other tracks or labels: {trained['manifest']} {trained['manifest_hash'][:12]}")
        if about["pooling"] != "mean" or about["eval_chunks"]:
            lines.append(f"{about['pooling']} of {about['eval_chunks'] or 'all'} chunks")
        if about["pooling"] != "mean" and not about["calibrated_on"]:
            lines.append("without the export's temperatures and thresholds, which are fitted for the mean over chunks")
        return lines

    def write(self, folder: Path) -> None:
        """Write predictions.safetensors and result.json; `read_result` reads them."""
        tensors = {
            f"{split}/{head}/{name}": tensor.contiguous()
            for split, by_head in self.predictions.items()
            for head, pair in by_head.items()
            for name, tensor in zip(("probabilities", "target"), pair, strict=True)
        }
        description = {
            "name": self.name,
            "about": self.about,
            "heads": [to_dict(head) for head in self.heads],
            "tracks": self.tracks.to_dict(as_series=False),
        }
        with atomic_write(folder / "predictions.safetensors", "wb") as file:
            file.write(save(tensors))
        write_json(folder / "result.json", description, indent=None)


def read_result(folder: str | Path) -> Result:
    """Read a result.

    Args:
        folder: Report folder of evaluate.py.

    Returns:
        The result, without `raw`.

    Raises:
        ConfigError: The folder is not a report, or its files are damaged.
    """
    folder = Path(folder)
    try:
        description = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "predictions.safetensors")
        tracks = pl.DataFrame(description["tracks"], schema=_TRACKS)
        heads = [from_dict(head) for head in description["heads"]]
        predictions = {
            split: {
                head.name: (tensors[f"{split}/{head.name}/probabilities"], tensors[f"{split}/{head.name}/target"])
                for head in heads
            }
            for split in tracks["split"].unique(maintain_order=True)
        }
        return Result(
            name=description["name"], heads=heads, predictions=predictions, tracks=tracks, about=description["about"]
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(
            f"{folder} is not a report of evaluate.py ({type(error).__name__}: {error}); name the folder that "
            "`musicrec evaluate export=…` printed"
        ) from None


def check_comparable(results: Sequence[Result]) -> None:
    """Check that results can be compared.

    Raises:
        ConfigError: They are on different splits, tracks or labels.
    """
    first = results[0]
    for other in results[1:]:
        if _test_data(other) != _test_data(first):
            raise ConfigError(
                f"{first.name} was evaluated on {_describe_data(first)}, {other.name} on {_describe_data(other)}: only "
                "results on the same tracks and labels can be compared; evaluate both in one command, "
                "musicrec evaluate 'export=[A,B]' …"
            )


def _test_data(result: Result) -> tuple:
    return result.about["split_hashes"], result.tracks.to_dict(as_series=False)


def _describe_data(result: Result) -> str:
    splits = ", ".join(f"{split} ({sha[:12]})" for split, sha in result.about["split_hashes"].items())
    return f"{result.about['dataset']} {splits}"
