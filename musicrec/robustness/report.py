"""A report on one split, and its CSV and JSON files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.evaluation.report_files import file_name
from musicrec.robustness.conditions import AudioCondition
from musicrec.robustness.effects import Effect, RankedDeformation
from musicrec.robustness.measurement import MeasuredAnswers
from musicrec.robustness.model_comparison import ComparedScore
from musicrec.robustness.overlap import RecommendationOverlap
from musicrec.robustness.resampling import IntervalEstimate
from musicrec.system.atomic_write import write_json
from musicrec.system.csv_table import write_records

FORMAT = "musicrec-robustness/1"
_COMPUTATIONS = ("deforming", "mel", "network")


@dataclass(frozen=True, kw_only=True)
class RobustnessReport:
    """All results on one split.

    Attributes:
        names: The names of the models.
        description: How the report came about, in plain JSON types; written to the JSON file as it is. Among its keys
            are "dataset", "split", "tracks_hash", "excerpt_s", "measurement", "bootstrap" and "drawn_by".
        tracks: Number of tracks.
        measured: Answers of the models.
        effects: One per condition, labelled head and model.
        ranking: The deformations, the most harmful first.
        compared_scores: Scores of the heads that several models have, compared.
        overlap: How much the recommendations overlap; None if it was not measured.
        left_out: What the report does not contain, and why.
        scoring_s: Seconds that scoring took.
        recommending_s: Seconds that comparing recommendations took.
    """

    names: list[str]
    description: dict
    tracks: int
    measured: MeasuredAnswers
    effects: list[Effect]
    ranking: list[RankedDeformation]
    compared_scores: list[ComparedScore]
    overlap: RecommendationOverlap | None
    left_out: list[str]
    scoring_s: float
    recommending_s: float

    @property
    def split(self) -> str:
        """Name of the split."""
        return self.description["split"]

    @property
    def interval_name(self) -> str | None:
        """What the intervals are, such as "95 % interval"; None if there are none."""
        bootstrap = self.description["bootstrap"]
        if not bootstrap or not self.description["drawn_by"]:
            return None
        return f"{100 * bootstrap['confidence']:g} % interval"

    def effects_on(self, model: int) -> list[Effect]:
        """Return the effects on one model, given its index."""
        return [effect for effect in self.effects if effect.model == model]

    def prefix(self, model: int) -> str:
        """Return the letter that stands for a model in tables and figures, as in "A: "; "" for a single model."""
        return "" if len(self.names) == 1 else f"{model_letter(model)}: "

    def seconds(self) -> list[dict]:
        """Return the computing time of each deformation and of the clean audio.

        Returns:
            One dict per deformation with keys "deformation", "audio_s" (seconds of audio), "deforming", "mel" and
            "network" (seconds of computation, over all conditions and models). Answers from the cache count with the
            seconds that they once took.
        """
        rows: dict[str, dict] = {}
        for index, condition in enumerate(self.measured.conditions):
            answers = [of_model[index] for of_model in self.measured.answers]
            row = rows.setdefault(
                condition.name,
                {"deformation": condition.name, "audio_s": 0.0, **dict.fromkeys(_COMPUTATIONS, 0.0)},
            )
            # All models share the deformed audio, so it counts once.
            row["audio_s"] += max(answer.audio_s for answer in answers)
            row["deforming"] += max(answer.seconds["deforming"] for answer in answers)
            for part in ("mel", "network"):
                row[part] += sum(answer.seconds[part] for answer in answers)
        return list(rows.values())


def model_letter(model: int) -> str:
    """Return the letter that stands for a model in tables and figures, given its index: "A" for the first."""
    return chr(ord("A") + model)


def write_report(folder: Path, report: RobustnessReport) -> list[Path]:
    """Write the CSV files of a report, and last `<split>.json` with the content of all of them but the classes.

    Args:
        folder: To write to.
        report: To write; tables without rows get no CSV file.

    Returns:
        The files.

    Raises:
        MusicrecError: A file cannot be written.
    """
    tables = {
        "metrics": metric_rows(report),
        "models": model_rows(report),
        "moved": moved_rows(report),
        "classes": class_rows(report),
        "ranking": ranking_rows(report),
        "recommendations": recommendation_rows(report),
        "seconds": [_rounded(row) for row in report.seconds()],
    }
    name = file_name(report.split)
    written = [write_records(folder / f"{name}_{table}.csv", rows) for table, rows in tables.items() if rows]
    summary = {"format": FORMAT, **report.description, "left_out": report.left_out}
    summary |= {"moved_summary": moved_summary(report)}
    summary |= {table: rows for table, rows in tables.items() if table != "classes"}
    write_json(folder / f"{name}.json", summary)
    return [*written, folder / f"{name}.json"]


def metric_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per model, head, condition and metric."""
    return [
        _place(report, effect)
        | {"metric": metric, "tracks": effect.tracks}
        | _rounded({"clean": change.clean, "moved": change.moved, "original": change.original})
        | _columns("drop", change.drop)
        | _columns("difference", change.difference)
        for effect in report.effects
        for metric, change in effect.changes.items()
    ]


def moved_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per model, head and condition: how many answers followed their labels."""
    return [
        _place(report, effect)
        | {"label_moves": int(effect.label_moves), "right_before": effect.right_before}
        | _columns("went_right", effect.followed_of_right)
        | _columns("went", effect.followed)
        for effect in report.effects
    ]


def moved_summary(report: RobustnessReport) -> list[dict]:
    """Return one row per model, head and deformation that moves labels: how many answers followed them.

    Only answers that were right on the clean audio count, over all strengths of the deformation.
    """
    groups: dict[tuple[int, str, str], list[Effect]] = {}
    for effect in report.effects:
        if effect.label_moves and effect.right_before:
            groups.setdefault((effect.model, effect.head.name, effect.condition.name), []).append(effect)
    rows = []
    for (model, head, deformation), effects in groups.items():
        right = sum(effect.right_before for effect in effects)
        followed = sum(effect.right_before * effect.followed_of_right.value for effect in effects)
        by_strength = {effect.condition.label: round(effect.followed_of_right.value, 5) for effect in effects}
        rows.append(
            {
                "model": model,
                "export": report.names[model],
                "head": head,
                "deformation": deformation,
                "right_before": right,
                "went_right": round(followed / right, 5),
                "by_strength": by_strength,
            }
        )
    return rows


def model_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per head that several models have, metric, kind of audio and model."""
    return [
        {"head": score.head.name, "metric": score.metric, "audio": score.audio, "export": report.names[score.model]}
        | _columns("value", score.value)
        | _columns("ahead", score.lead or IntervalEstimate(value=math.nan))
        for score in report.compared_scores
    ]


def class_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per model, head and class, with one column per condition."""
    columns = [_condition_column(condition) for condition in report.measured.conditions[1:]]
    rows: dict[tuple[int, str, str], dict] = {}
    for effect in report.effects:
        for scores in effect.by_class:
            begin = {"export": report.names[effect.model], "head": effect.head.name}
            begin |= {name: scores[name] for name in ("class", "tracks", "measure", "clean")} | dict.fromkeys(columns)
            row = rows.setdefault((effect.model, effect.head.name, scores["class"]), begin)
            row[_condition_column(effect.condition)] = scores["deformed"]
    # A class has too few tracks for a fourth decimal to mean anything.
    return [_rounded(row, digits=3) for row in rows.values()]


def ranking_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per deformation, the most harmful first."""
    return [
        {"rank": rank, "deformation": ranked.name}
        | _columns("drop", ranked.drop)
        | {f"worst_{name}": value for name, value in _place(report, ranked.worst).items() if name != "deformation"}
        | _rounded({"worst_drop": ranked.worst.primary.drop.value})
        for rank, ranked in enumerate(report.ranking, start=1)
    ]


def recommendation_rows(report: RobustnessReport) -> list[dict]:
    """Return one row per condition: how much of the lists of recommendations stays."""
    overlap = report.overlap
    if overlap is None:
        return []
    return [
        {
            "deformation": one.condition.name,
            "strength": one.condition.strength,
            "k": overlap.k,
            "queries": overlap.queries,
        }
        | _columns("kept", one.kept)
        | _columns("first", one.first)
        | _rounded({"by_chance": overlap.by_chance})
        for one in overlap.by_condition
    ]


def sensitivity(effects: Sequence[Effect]) -> list[dict]:
    """Return how much each class of a head suffers, the most sensitive class first.

    Args:
        effects: On one head of one model.

    Returns:
        One dict per class with keys "class", "tracks", "measure", "clean", "mean" (over the deformations, each the mean
        over its strengths), "worst", and "by" (the condition with the worst score).
    """
    pairs_by_class: dict[str, list[tuple[Effect, dict]]] = {}
    for effect in effects:
        for scores in effect.by_class:
            pairs_by_class.setdefault(scores["class"], []).append((effect, scores))
    rows = []
    for name, pairs in pairs_by_class.items():
        by_deformation: dict[str, list[float]] = {}
        for effect, scores in pairs:
            by_deformation.setdefault(effect.condition.name, []).append(scores["deformed"])
        means = [sum(values) / len(values) for values in by_deformation.values()]
        worst, worst_scores = min(pairs, key=lambda pair: pair[1]["deformed"])
        first_scores = pairs[0][1]
        rows.append(
            {
                "class": name,
                **{key: first_scores[key] for key in ("tracks", "measure", "clean")},
                "mean": sum(means) / len(means),
                "worst": worst_scores["deformed"],
                "by": f"{worst.condition.title} {worst.condition.label}".rstrip(),
            }
        )
    return sorted(rows, key=lambda row: row["mean"] - row["clean"])


def _place(report: RobustnessReport, effect: Effect) -> dict:
    """Return the columns that say which effect a row is about."""
    return {
        "export": report.names[effect.model],
        "head": effect.head.name,
        "deformation": effect.condition.name,
        "strength": effect.condition.strength,
    }


def _condition_column(condition: AudioCondition) -> str:
    return condition.name if condition.strength is None else f"{condition.name} {condition.strength}"


def _columns(name: str, estimate: IntervalEstimate) -> dict:
    """Return the columns of a number with its interval."""
    low, high = estimate.interval
    return _rounded({name: estimate.value, f"{name}_low": low, f"{name}_high": high})


def _rounded(row: dict, *, digits: int = 5) -> dict:
    """Return a row with rounded numbers; None for NaN and infinity."""

    def rounded(value: object) -> object:
        if not isinstance(value, float):
            return value
        return round(value, digits) if math.isfinite(value) else None

    return {name: rounded(value) for name, value in row.items()}
