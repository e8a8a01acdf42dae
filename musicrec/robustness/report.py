"""A report: what is told of the models on one split, and its files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from musicrec.evaluation.files import file_name
from musicrec.robustness.conditions import Condition
from musicrec.robustness.effects import Effect, Number, Rank
from musicrec.robustness.measurement import Measured
from musicrec.robustness.overlap import Overlaps
from musicrec.robustness.ranking_table import Standing
from musicrec.system.atomic_write import write_json
from musicrec.system.csv_table import write_records

FORMAT = "musicrec-robustness/1"


@dataclass(frozen=True, kw_only=True)
class Report:
    """names: of the models. about: what it is of, in plain JSON types, among them dataset and split. left_out: what is
    not in it, and why. scoring_s, recommending_s: what these took."""

    names: list[str]
    about: dict
    tracks: int
    measured: Measured
    effects: list[Effect]
    ranks: list[Rank]
    standings: list[Standing]
    overlaps: Overlaps | None
    left_out: list[str]
    scoring_s: float
    recommending_s: float

    @property
    def split(self) -> str:
        return self.about["split"]

    @property
    def intervals(self) -> str | None:
        """What its intervals are called, such as "95 % interval"; None where none were drawn."""
        drawn = self.about["bootstrap"]
        return f"{100 * drawn['confidence']:g} % interval" if drawn and self.about["drawn_by"] else None

    def of(self, subject: int) -> list[Effect]:
        return [effect for effect in self.effects if effect.subject == subject]

    def seconds(self) -> list[dict]:
        """A row a deformation, of all its conditions and of the clean audio: audio_s deformed, and what deforming, mel
        spectrograms and networks took; those of an earlier run count as they did then."""
        rows: dict[str, dict] = {}
        for number, condition in enumerate(self.measured.conditions):
            answers = [of[number] for of in self.measured.answers]
            row = rows.setdefault(
                condition.name,
                {"deformation": condition.name, "audio_s": 0.0, "deforming": 0.0, "mel": 0.0, "network": 0.0},
            )
            # Deformed once for all of the models that lacked it.
            row["audio_s"] += max(answer.audio_s for answer in answers)
            row["deforming"] += max(answer.seconds["deforming"] for answer in answers)
            for part in ("mel", "network"):
                row[part] += sum(answer.seconds[part] for answer in answers)
        return list(rows.values())


def write_report(folder: Path, report: Report) -> list[Path]:
    """Write <split>_metrics.csv, _models.csv, _moved.csv, _classes.csv, _ranking.csv, _recommendations.csv,
    _seconds.csv, and last of all <split>.json, which holds all of them but the classes. Raises MusicrecError where it
    cannot."""
    tables = {
        "metrics": metric_rows(report),
        "models": standing_rows(report),
        "moved": moved_rows(report),
        "classes": class_rows(report),
        "ranking": ranking_rows(report),
        "recommendations": overlap_rows(report),
        "seconds": [_rounded(row) for row in report.seconds()],
    }
    written = []
    for name, rows in tables.items():
        if rows:
            written.append(write_records(folder / f"{file_name(report.split)}_{name}.csv", rows))
    summary = {"format": FORMAT, **report.about, "left_out": report.left_out}
    summary |= {"moved_summary": moved_summary(report)}
    summary |= {name: rows for name, rows in tables.items() if name != "classes"}
    written.append(folder / f"{file_name(report.split)}.json")
    write_json(written[-1], summary)
    return written


def metric_rows(report: Report) -> list[dict]:
    """A row a model, head, condition and metric."""
    return [
        _where(report, one)
        | {"metric": name, "tracks": one.tracks}
        | _rounded({"clean": change.clean, "moved": change.moved, "original": change.original})
        | _interval("drop", change.drop)
        | _interval("difference", change.difference)
        for one in report.effects
        for name, change in one.changes.items()
    ]


def moved_rows(report: Report) -> list[dict]:
    """A row a model, head and condition: how often the answer did what the label does."""
    return [
        _where(report, one) | {"label_moves": int(one.moves), "right_before": one.right}
        | _interval("went_right", one.went_right) | _interval("went", one.went)
        for one in report.effects
    ]  # fmt: skip


def moved_summary(report: Report) -> list[dict]:
    """Where labels move: the share of answers, right before, that moved along, over all strengths of a deformation."""
    found: dict[tuple[int, str, str], list[Effect]] = {}
    for one in report.effects:
        if one.moves and one.right:
            found.setdefault((one.subject, one.head.name, one.condition.name), []).append(one)
    rows = []
    for (subject, head, deformation), of in found.items():
        right = sum(one.right for one in of)
        moved = sum(one.right * one.went_right.value for one in of)
        by_strength = {one.condition.label: round(one.went_right.value, 5) for one in of}
        rows.append({"model": subject, "export": report.names[subject], "head": head, "deformation": deformation,
                     "right_before": right, "went_right": round(moved / right, 5),
                     "by_strength": by_strength})  # fmt: skip
    return rows


def standing_rows(report: Report) -> list[dict]:
    """A row a head that several models have, kind of audio and model."""
    return [
        {"head": one.head.name, "metric": one.metric, "audio": one.audio, "export": report.names[one.subject]}
        | _interval("value", one.value) | _interval("ahead", one.ahead or Number(value=math.nan))
        for one in report.standings
    ]  # fmt: skip


def class_rows(report: Report) -> list[dict]:
    """A row a model, head and class, a column a condition; to three decimals, which is more than a class can tell."""
    columns = [_column(condition) for condition in report.measured.conditions[1:]]
    rows: dict[tuple[int, str, str], dict] = {}
    for one in report.effects:
        for of in one.by_class:
            about = {"export": report.names[one.subject], "head": one.head.name}
            about |= {name: of[name] for name in ("class", "tracks", "measure", "clean")} | dict.fromkeys(columns)
            row = rows.setdefault((one.subject, one.head.name, of["class"]), about)
            row[_column(one.condition)] = of["deformed"]
    return [_rounded(row, digits=3) for row in rows.values()]


def ranking_rows(report: Report) -> list[dict]:
    return [
        {"rank": place, "deformation": rank.name}
        | _interval("drop", rank.drop)
        | {f"worst_{name}": value for name, value in _where(report, rank.worst).items() if name != "deformation"}
        | _rounded({"worst_drop": rank.worst.primary.drop.value})
        for place, rank in enumerate(report.ranks, start=1)
    ]


def overlap_rows(report: Report) -> list[dict]:
    return [
        {"deformation": one.condition.name, "strength": one.condition.strength, "k": report.overlaps.k,
         "queries": report.overlaps.queries}
        | _interval("kept", one.kept) | _interval("first", one.first)
        | _rounded({"by_chance": report.overlaps.by_chance})
        for one in (report.overlaps.of if report.overlaps else [])
    ]  # fmt: skip


def sensitivity(effects: Sequence[Effect]) -> list[dict]:
    """Of one head of one model, by class: {"class", "tracks", "measure", "clean", "mean", "worst", "by"}: how well it
    is known clean, in the mean over the deformations (each the mean of its strengths), and under the worst condition,
    most sensitive first."""
    found: dict[str, list[tuple[Effect, dict]]] = {}
    for one in effects:
        for row in one.by_class:
            found.setdefault(row["class"], []).append((one, row))
    rows = []
    for name, pairs in found.items():
        by_deformation: dict[str, list[float]] = {}
        for one, row in pairs:
            by_deformation.setdefault(one.condition.name, []).append(row["deformed"])
        means = [sum(values) / len(values) for values in by_deformation.values()]
        worst, row = min(pairs, key=lambda pair: pair[1]["deformed"])
        first = pairs[0][1]
        rows.append({
            "class": name, "tracks": first["tracks"], "measure": first["measure"], "clean": first["clean"],
            "mean": sum(means) / len(means), "worst": row["deformed"],
            "by": f"{worst.condition.title} {worst.condition.label}".rstrip(),
        })  # fmt: skip
    return sorted(rows, key=lambda row: row["mean"] - row["clean"])


def _where(report: Report, one: Effect) -> dict:
    return {"export": report.names[one.subject], "head": one.head.name, "deformation": one.condition.name,
            "strength": one.condition.strength}  # fmt: skip


def _column(condition: Condition) -> str:
    return condition.name if condition.strength is None else f"{condition.name} {condition.strength}"


def _interval(name: str, number: Number) -> dict:
    return _rounded({name: number.value, f"{name}_low": number.interval[0], f"{name}_high": number.interval[1]})


def _rounded(row: dict, *, digits: int = 5) -> dict:
    def plain(value: object) -> object:
        if not isinstance(value, float):
            return value
        return round(value, digits) if math.isfinite(value) else None

    return {name: plain(value) for name, value in row.items()}
