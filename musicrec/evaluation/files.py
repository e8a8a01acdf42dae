"""How well a model did, in files: CSV for spreadsheets and notebooks, JSON for programs."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.report import HeadScore
from musicrec.evaluation.result import Result
from musicrec.heads import Head
from musicrec.system.atomic_write import write_json, write_text
from musicrec.system.csv_table import write_csv


def write_report(
    folder: Path, scores: Sequence[HeadScore], result: Result, *, bootstrap: Bootstrap | None = None
) -> None:
    """Write metrics.csv, per_class_<head>.csv, predictions.csv, what `read_result` reads, and last of all metrics.json.

    bootstrap: what the scores' intervals come from. Raises MusicrecError when the folder cannot be written.
    """
    labelled = [score for score in scores if score.labelled]
    units = list(dict.fromkeys(unit for score in labelled for unit in score.units))
    limits = [f"{end}_{unit}" for unit in units for end in ("low", "high")]
    write_csv(folder / "metrics.csv", ["split", "head", "metric", "value", *limits, "chance", "tracks"], [
        [score.split, score.head.name, metric, _plain(value), *_limits(score, metric, units),
         _plain(score.chance[metric]), score.labelled]
        for score in labelled for metric, value in score.metrics.items()
    ])  # fmt: skip
    for name in dict.fromkeys(score.head.name for score in labelled):
        rows = [{"split": s.split} | row for s in labelled if s.head.name == name for row in s.per_class]
        if rows:
            values = [[_rounded(value) for value in row.values()] for row in rows]
            write_csv(folder / f"per_class_{file_name(name)}.csv", list(rows[0]), values)
    frames = [
        prediction_rows(head, *by_head[head.name], track_ids=result.track_ids(split), split=split)
        for split, by_head in result.predictions.items() for head in result.heads
    ]  # fmt: skip
    write_text(folder / "predictions.csv", pl.concat(frames).write_csv())
    result.write(folder)
    how = {} if bootstrap is None else {
        "resamples": bootstrap.resamples, "confidence": bootstrap.confidence, "seed": bootstrap.seed
    }  # fmt: skip
    write_json(folder / "metrics.json", {**result.about, "bootstrap": how, "splits": _summary(scores)})


def prediction_rows(
    head: Head, probabilities: Tensor, target: Tensor, *, track_ids: Sequence[str], split: str
) -> pl.DataFrame:
    """One head's answers. Exclusive classes: a row a track, label and prediction in words, `probability` that of the
    likeliest class, `class` empty. Tags: a row a track and class, label and prediction 1 or 0. An unknown label is
    empty."""
    answer = head.answer(probabilities)
    if head.exclusive:
        columns = {
            "track_id": list(track_ids),
            "class": [None] * len(target),
            "label": [None if value.isnan() else head.label(value) for value in target],
            "prediction": [head.label(value) for value in answer],
            "probability": probabilities.max(dim=1).values.tolist(),
        }
    else:
        columns = {
            "track_id": [track for track in track_ids for _ in head.classes],
            "class": list(head.classes) * len(target),
            "label": [None if math.isnan(value) else head.label(value) for value in target.flatten().tolist()],
            "prediction": [head.label(value) for value in answer.flatten().tolist()],
            "probability": probabilities.flatten().tolist(),
        }
    text = dict.fromkeys(("track_id", "class", "label", "prediction"), pl.String)
    frame = pl.DataFrame(columns, schema={**text, "probability": pl.Float64})
    return frame.select(
        pl.lit(split).alias("split"),
        "track_id",
        pl.lit(head.name).alias("head"),
        "class",
        "label",
        "prediction",
        pl.col("probability").round(6),
    )


def file_name(name: str) -> str:
    """A name of a split or head as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name)


def _summary(scores: Sequence[HeadScore]) -> dict:
    splits: dict[str, dict] = {}
    for score in scores:
        heads = splits.setdefault(score.split, {"tracks": score.tracks, "heads": {}})["heads"]
        heads[score.head.name] = {
            "labelled": score.labelled,
            "metrics": {name: _plain(value) for name, value in score.metrics.items()},
            "chance": {name: _plain(value) for name, value in score.chance.items()},
            "intervals": {
                unit: {name: [_plain(limit) for limit in limits] for name, limits in found.items()}
                for unit, found in score.intervals.items()
            },
            "units": score.units,
            "temperature": round(score.head.temperature, 4),
            "calibration": {name: _plain(value) for name, value in score.calibration.items()},
            "classes_left_out": score.classes_left_out,
        }
    return splits


def _limits(score: HeadScore, metric: str, units: Sequence[str]) -> list[float | None]:
    nothing = (math.nan, math.nan)
    return [_plain(limit) for unit in units for limit in score.intervals.get(unit, {}).get(metric, nothing)]


def _rounded(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
