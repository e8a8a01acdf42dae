"""The figures of experiments/robustness/README.md are those of the CSV files beside it."""

import re
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "experiments" / "robustness"
README = (FOLDER / "README.md").read_text()
TEXT = " ".join(README.split())
NETWORKS = {"CRNN": "crnn", "ResNet": "short_chunk_resnet"}
PRIMARY = {"tempo": "acc2", "instruments": "roc_auc"}
DEFORMATIONS = {
    path.stem: OmegaConf.load(path)[path.stem]
    for path in (ROOT / "conf" / "deformation").glob("*.yaml")
    if path.stem != "all"
}


def document_rows(*, columns: int) -> list[str]:
    """The rows, without headings, of the tables of README.md that have this number of columns."""
    rows = re.findall(r"^\|[- :|]+\|\n((?:\|.+\n)+)", README, re.M)
    return [line for rows in rows for line in rows.splitlines() if line.count("|") == columns + 1]


def read_table(name: str) -> pl.DataFrame:
    return pl.read_csv(FOLDER / f"{name}.csv", infer_schema=False)


def label(deformation: str, strength: str | None) -> str:
    unit = DEFORMATIONS[deformation].get("unit", "")
    shown = f"{float(strength):g}" if re.fullmatch(r"-?[\d.]+", strength or "") else strength or ""
    return f"{shown} {'' if unit in ('band', 'preset') else unit}".strip()


def assert_alike(lines: list[str], expected: list[str]) -> None:
    """Compare the words exactly and the numbers to 0.1: the values of the CSV have been rounded once already."""
    number = r"-?\d+(?:\.\d+)?"
    assert [re.sub(number, "#", line) for line in lines] == [re.sub(number, "#", line) for line in expected]
    for line, other in zip(lines, expected, strict=True):
        mine, theirs = ([float(value) for value in re.findall(number, text)] for text in (line, other))
        assert mine == pytest.approx(theirs, abs=0.101), line


def percent(value: str | float) -> str:
    return f"{float(value):.1%}".replace("-0.0%", "0.0%")


def test_shares_of_moved_answers():
    expected = []
    for report in ("test_moved", "tempo_key_moved"):
        rows = read_table(report)
        letters = {name: chr(ord("A") + n) for n, name in enumerate(rows["export"].unique(maintain_order=True))}
        moving = rows.filter(label_moves="1").group_by("export", "head", "deformation", maintain_order=True)
        for (export, head, deformation), of in moving:
            right = [int(count) for count in of["right_before"]]
            shares = [float(share) for share in of["went_right"]]
            moved = sum(count * share for count, share in zip(right, shares, strict=True)) / sum(right)
            by_strength = [f"{label(deformation, strength)}: {percent(share)}"
                           for strength, share in zip(of["strength"], shares, strict=True)]  # fmt: skip
            expected.append(f"| {letters[export]} {head} | {DEFORMATIONS[deformation].title} | {sum(right)} | "
                            f"{percent(moved)} | {', '.join(by_strength)} |")  # fmt: skip
    assert len(expected) == 8
    assert_alike(document_rows(columns=5)[: len(expected)], expected)


def test_ranking_of_deformations():
    expected = []
    for row in read_table("test_ranking").to_dicts():
        head, letter = row["worst_head"], "AB"[list(NETWORKS.values()).index(row["worst_export"])]
        interval = f"[{percent(row['drop_low'])}, {percent(row['drop_high'])}]" if row["drop_low"] else "–"
        expected.append(
            f"| {DEFORMATIONS[row['deformation']].title} | {percent(row['drop'])} | {interval} | "
            f"{percent(row['worst_drop'])} | {letter} {head} "
            f"{PRIMARY.get(head, 'accuracy')} | {label(row['deformation'], row['worst_strength'])} |"
        )
    assert len(expected) == 21
    assert_alike(document_rows(columns=6), expected)


def test_computing_time():
    rows = sorted(
        read_table("test_seconds").cast({"deforming": float, "audio_s": float}).to_dicts(),
        key=lambda row: -row["deforming"],
    )
    expected = [
        f"| {row['deformation']} | {row['audio_s']:.0f} | {row['deforming']:.1f} | "
        f"{1000 * row['deforming'] / row['audio_s']:.1f} | {float(row['mel']) + float(row['network']):.1f} |"
        for row in rows
    ]
    assert len(expected) == 22
    assert_alike(document_rows(columns=5)[-len(expected) :], expected)


@pytest.mark.parametrize(
    ("deformation", "strength", "network", "head", "claim"),
    re.findall(r"(\w+) at (\S+) takes the (CRNN|ResNet)'s (\w+) from ([\d.]+ to [\d.]+\d)", TEXT),
)
def test_scores_named_in_the_text(deformation: str, strength: str, network: str, head: str, claim: str):
    (row,) = read_table("test_metrics").filter(
        export=NETWORKS[network], head=head, deformation=deformation, strength=strength,
        metric=PRIMARY.get(head, "accuracy"),
    ).to_dicts()  # fmt: skip
    assert claim == f"{float(row['clean']):.2f} to {float(row['moved']):.2f}"


@pytest.mark.parametrize(("deformation", "strength", "share"), re.findall(r"(\w+) at (\S+) keeps ([\d.]+\d)", TEXT))
def test_kept_recommendations_named_in_the_text(deformation: str, strength: str, share: str):
    (row,) = read_table("test_recommendations").filter(deformation=deformation, strength=strength).to_dicts()
    assert share == f"{float(row['kept']):.2f}"
    assert f"; {float(row['by_chance']):.2f} would stay by chance" in TEXT


def test_every_file_is_named_and_small():
    tracks = int(read_table("test_metrics")["tracks"].cast(int).max())
    assert f"on {tracks} of the 108 clips" in TEXT or f"on all {tracks} clips" in TEXT
    assert len(re.findall(r" at \S+ takes the ", TEXT)) >= 3 and len(re.findall(r" at \S+ keeps ", TEXT)) >= 3
    for path in FOLDER.iterdir():
        assert path.stat().st_size < 200_000, path.name
        assert path.name in (*README.split("("), "README.md") or f"({path.name})" in README, f"{path.name} is not named"


def test_tables_copied_from_the_report():
    found = re.findall(r"^<!-- (\S+): .+ -->\n((?:\|.+\n)+)", README, re.M)
    assert len(found) == 4 and (FOLDER / "tempo_key.md").exists()
    for name, rows in found:
        if (FOLDER / name).exists():
            written = {" ".join(line.split()) for line in (FOLDER / name).read_text().splitlines()}
            assert {" ".join(line.split()) for line in rows.splitlines()[2:]} <= written
