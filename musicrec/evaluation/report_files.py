"""Files of an evaluation: CSV for spreadsheets and notebooks, JSON for programs."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from torch import Tensor

from musicrec.evaluation.bootstrap import Bootstrap
from musicrec.evaluation.head_scores import HeadScore
from musicrec.evaluation.result import Result
from musicrec.heads import Head
from musicrec.heads.frames import is_frame_wise
from musicrec.system.atomic_write import write_json, write_text
from musicrec.system.csv_table import write_csv


def write_report(
    folder: Path, scores: Sequence[HeadScore], result: Result, *, bootstrap: Bootstrap | None = None
) -> None:
    """Write metrics.csv, per_class_<head>.csv, predictions.csv, the files of the result, and last of all metrics.json.

    Args:
        folder: Folder of the report.
        scores: Scores of all splits and heads.
        result: The predictions; `read_result` reads them again.
        bootstrap: Settings of the scores' intervals; None if they have none.

    Raises:
        MusicrecError: The folder cannot be written.
    """
    labelled = [score for score in scores if score.labelled]
    _write_metrics(folder, labelled)
    _write_classes(folder, labelled)
    frames = [
        prediction_rows(head, *by_head[head.name], track_ids=result.track_ids(split), split=split)
        for split, by_head in result.predictions.items()
        for head in result.heads
    ]
    write_text(folder / "predictions.csv", pl.concat(frames).write_csv())
    result.write(folder)
    settings = {}
    if bootstrap is not None:
        settings = {name: getattr(bootstrap, name) for name in ("resamples", "confidence", "seed")}
    write_json(folder / "metrics.json", {**result.about, "bootstrap": settings, "splits": _summary(scores)})


def _write_metrics(folder: Path, scores: Sequence[HeadScore]) -> None:
    units = list(dict.fromkeys(unit for score in scores for unit in score.units))
    limits = [f"{end}_{unit}" for unit in units for end in ("low", "high")]
    rows = []
    for score in scores:
        for metric, value in score.metrics.items():
            cells = [_rounded(value), *_limits(score, metric, units), _rounded(score.chance[metric]), score.labelled]
            rows.append([score.split, score.head.name, metric, *cells])
    write_csv(folder / "metrics.csv", ["split", "head", "metric", "value", *limits, "chance", "tracks"], rows)


def _write_classes(folder: Path, scores: Sequence[HeadScore]) -> None:
    for name in dict.fromkeys(score.head.name for score in scores):
        rows = [{"split": s.split} | row for s in scores if s.head.name == name for row in s.per_class]
        if rows:
            values = [[round(v, 6) if isinstance(v, float) else v for v in row.values()] for row in rows]
            write_csv(folder / f"per_class_{file_name(name)}.csv", list(rows[0]), values)


def prediction_rows(
    head: Head, probabilities: Tensor, target: Tensor, *, track_ids: Sequence[str], split: str
) -> pl.DataFrame:
    """Return the predictions of one head as a table.

    Args:
        head: The head.
        probabilities: (tracks, classes).
        target: The labels as the head encodes them, NaN where missing.
        track_ids: Names of the tracks.
        split: Name of the split.

    Returns:
        Columns split, track_id, head, class, label, prediction and probability; an unknown label is empty. Exclusive
        classes: one row per track, label and prediction in words, the probability of the most likely class, an empty
        class. Frame-wise heads: the same without a probability. Tags: one row per track and class, label and prediction
        1 or 0.
    """
    if is_frame_wise(head):
        columns = {
            "track_id": list(track_ids),
            "class": [None] * len(target),
            "label": [head.truth_text(truth) or None for truth in target],
            "prediction": [head.text(head.decode(track)) for track in probabilities.numpy()],
            "probability": [None] * len(target),
        }
    elif head.exclusive:
        answer = head.answer(probabilities)
        columns = {
            "track_id": list(track_ids),
            "class": [None] * len(target),
            "label": [None if value.isnan() else head.label(value) for value in target],
            "prediction": [head.label(value) for value in answer],
            "probability": probabilities.max(dim=1).values.tolist(),
        }
    else:
        answer = head.answer(probabilities)
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
    """Return the name of a split or head with only characters that suit a file name."""
    return re.sub(r"[^\w.-]+", "_", name)


def _summary(scores: Sequence[HeadScore]) -> dict:
    splits: dict[str, dict] = {}
    for score in scores:
        heads = splits.setdefault(score.split, {"tracks": score.tracks, "heads": {}})["heads"]
        heads[score.head.name] = {
            "labelled": score.labelled,
            "metrics": {name: _rounded(value) for name, value in score.metrics.items()},
            "chance": {name: _rounded(value) for name, value in score.chance.items()},
            "intervals": {
                unit: {name: [_rounded(limit) for limit in limits] for name, limits in found.items()}
                for unit, found in score.intervals.items()
            },
            "units": score.units,
            "temperature": round(score.head.temperature, 4),
            "calibration": {name: _rounded(value) for name, value in score.calibration.items()},
            "classes_left_out": score.classes_left_out,
        }
    return splits


def _limits(score: HeadScore, metric: str, units: Sequence[str]) -> list[float | None]:
    nothing = (math.nan, math.nan)
    return [_rounded(limit) for unit in units for limit in score.intervals.get(unit, {}).get(metric, nothing)]


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 6)
