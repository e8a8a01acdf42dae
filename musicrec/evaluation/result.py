"""What a model said of the tracks of some splits, with all that is needed to score it again or beside another."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from musicrec.errors import ConfigError
from musicrec.evaluation.report import Predictions
from musicrec.heads import Head, from_dict, to_dict
from musicrec.system.atomic_write import atomic_write, write_json

_TRACKS = {"split": pl.String, "track_id": pl.String, "artist": pl.String}


@dataclass(frozen=True, kw_only=True)
class Result:
    """name: of the model, as the user gave it. predictions: {split: {head: (probabilities, target)}}. tracks: columns
    split, track_id, artist, in the order of the predictions. about: model and data in plain JSON types, among them
    `dataset`, `manifest_hash` and `split_hashes`, {split: hash of the tracks and labels in it}. raw: {split: {head:
    probabilities}} before any temperature; a result that was read has none."""

    name: str
    heads: list[Head]
    predictions: dict[str, Predictions]
    tracks: pl.DataFrame
    about: dict
    raw: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    def artists(self, split: str) -> list[str | None]:
        return self.tracks.filter(pl.col("split") == split)["artist"].to_list()

    def track_ids(self, split: str) -> list[str]:
        return self.tracks.filter(pl.col("split") == split)["track_id"].to_list()

    def title(self, split: str) -> list[str]:
        """Who answered, on what, and how, in words for a person."""
        about = self.about
        lines = [self.name, f"{about['dataset']}, {split} (tracks and labels {about['split_hashes'][split][:12]})"]
        trained = about.get("trained_on") or {}
        if trained.get("manifest_hash") not in (None, about["manifest_hash"]):
            lines.append(f"trained on other tracks or labels: {trained['manifest']} {trained['manifest_hash'][:12]}")
        if about["pooling"] != "mean" or about["eval_chunks"]:
            lines.append(f"{about['pooling']} of {about['eval_chunks'] or 'all'} chunks")
        if about["pooling"] != "mean" and not about["calibrated_on"]:
            lines.append("without the export's temperatures and thresholds, which belong to the mean of the chunks")
        return lines

    def write(self, folder: Path) -> None:
        """Write predictions.safetensors and result.json, which `read_result` reads."""
        tensors = {
            f"{split}/{head}/{what}": tensor.contiguous()
            for split, by_head in self.predictions.items()
            for head, pair in by_head.items()
            for what, tensor in zip(("probabilities", "target"), pair, strict=True)
        }
        described = {
            "name": self.name,
            "about": self.about,
            "heads": [to_dict(head) for head in self.heads],
            "tracks": self.tracks.to_dict(as_series=False),
        }
        with atomic_write(folder / "predictions.safetensors", "wb") as file:
            file.write(save(tensors))
        write_json(folder / "result.json", described, indent=None)


def read_result(folder: str | Path) -> Result:
    """The result in a report folder of evaluate.py. Raises ConfigError that names the folder."""
    folder = Path(folder)
    try:
        described = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "predictions.safetensors")
        tracks = pl.DataFrame(described["tracks"], schema=_TRACKS)
        heads = [from_dict(head) for head in described["heads"]]
        predictions = {
            split: {
                head.name: (tensors[f"{split}/{head.name}/probabilities"], tensors[f"{split}/{head.name}/target"])
                for head in heads
            }
            for split in tracks["split"].unique(maintain_order=True)
        }
        return Result(
            name=described["name"], heads=heads, predictions=predictions, tracks=tracks, about=described["about"]
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ConfigError(
            f"{folder} is not a report of evaluate.py ({type(error).__name__}: {error}); name the folder that "
            "`python evaluate.py export=…` printed"
        ) from None


def check_comparable(results: Sequence[Result]) -> None:
    """Raises ConfigError unless all results are on the same splits with the same tracks and labels."""
    first = results[0]
    for other in results[1:]:
        if _tested_on(other) != _tested_on(first):
            raise ConfigError(
                f"{first.name} was evaluated on {_in_words(first)}, {other.name} on {_in_words(other)}: only results "
                "on the same tracks and labels can be compared; evaluate both in one command, "
                "python evaluate.py 'export=[A,B]' …"
            )


def _tested_on(result: Result) -> tuple:
    return result.about["split_hashes"], result.tracks.to_dict(as_series=False)


def _in_words(result: Result) -> str:
    splits = ", ".join(f"{split} ({sha[:12]})" for split, sha in result.about["split_hashes"].items())
    return f"{result.about['dataset']} {splits}"
