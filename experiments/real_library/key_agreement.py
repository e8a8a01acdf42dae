"""Measure how often a key network agrees with other programs on music whose keys nobody has written down.

    python experiments/real_library/key_agreement.py FOLDER --answers ANSWERS.json --models key

ANSWERS.json holds the keys that other programs heard:

    {"tracks": {"wesnoth/battle.ogg": {"essentia_bgate": "E minor", "essentia_edma": "E minor", "skey": "E minor"}}}

The first part of each name is a soundtrack, the rest is the end of the path of the file below FOLDER, which holds the
unpacked Debian packages. Two figures are computed for every model, with 95 % intervals from 2,000 resamples of tracks:

- agreed: among the tracks on which all programs of `--agreed` give the same key, the share on which the model does too.
- three-way: the root of agr(A,B) · agr(A,C) / agr(B,C), where A is the model, B and C are the programs of `--judges`,
  and agr is the share of tracks with the same key. It is A's accuracy if errors are independent and no two wrong
  answers agree. The same is computed for B and C.

`--models key,skey,key+skey` measures two models, and the mean of their probabilities. `--middle-s 120` lets them hear
two minutes from the middle of each track. `--csv FILE` writes the keys of all tracks.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

import musicrec
from musicrec.audio.decode import decode
from musicrec.errors import MusicrecError
from musicrec.heads.keys import KEYS_24, key_index, parse_key
from musicrec.system.csv_table import write_records

RESAMPLES = 2000


def find_files(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return {name: file} for names such as "wesnoth/battle.ogg".

    Raises:
        MusicrecError: A name has no file, or several.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = {}
    for name in names:
        soundtrack, _, rest = name.partition("/")
        matches = [
            file for file in files if f"/{file.as_posix()}".endswith(f"/{rest}") and soundtrack in file.as_posix()
        ]
        if len(matches) != 1:
            raise MusicrecError(
                f"{name}: {len(matches)} files below {folder} have a path that ends with {rest} and contains "
                f"{soundtrack}; unpack its package there, once"
            )
        found[name] = matches[0]
    return found


def number_of(key: str) -> int:
    """Return 0 to 23 for a key such as "F# minor"."""
    tonic, mode = parse_key(key)
    return key_index(tonic, mode or "major")


def three_way(model: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Return the accuracy of `model` if errors are independent. NaN if `first` and `second` never agree."""
    between = (first == second).mean()
    if not between:
        return float("nan")
    return float(np.sqrt((model == first).mean() * (model == second).mean() / between))


def kind_of_error(key: int, other: int) -> str:
    """Return how two keys are related: same, relative, parallel, fifth or other."""
    distance, same_mode = (key - other) % 12, (key < 12) == (other < 12)
    if same_mode:
        return "same" if not distance else "fifth" if distance in (5, 7) else "other"
    relative = 9 if other < 12 else 3  # A minor is 9 semitones above C major
    return "parallel" if not distance else "relative" if distance == relative else "other"


def middle(path: Path, sample_rate: int, seconds: float | None) -> np.ndarray:
    """Return the middle of a file, (samples,) float32; all of it if seconds is None."""
    waveform = decode(path, sample_rate=sample_rate)
    surplus = 0 if seconds is None else max(0, len(waveform) - round(seconds * sample_rate))
    return waveform[surplus // 2 : len(waveform) - (surplus - surplus // 2)]


def interval(values: Sequence[float]) -> str:
    low, high = np.nanquantile(values, [0.025, 0.975])
    return f"{low:.2f} to {high:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--models", default="key", help="names or export folders, separated by commas; A+B: their mean")
    parser.add_argument("--agreed", default="essentia_bgate,essentia_edma,skey")
    parser.add_argument("--judges", default="essentia_bgate,skey")
    parser.add_argument("--middle-s", type=float, metavar="S", help="hear only the middle of each track")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()

    answers = json.loads(options.answers.read_text(encoding="utf-8"))["tracks"]
    names = sorted(answers)
    files = find_files(options.folder, names)
    programs = sorted({*options.agreed.split(","), *options.judges.split(",")})
    keys = {program: np.array([number_of(answers[name][program]) for name in names]) for program in programs}
    models = options.models.split(",")
    analyzers = {part: musicrec.load(part) for model in models for part in model.split("+")}
    rates = {analyzer.sample_rate for analyzer in analyzers.values()}
    probabilities: dict[str, list[np.ndarray]] = {part: [] for part in analyzers}
    for name in track(names, "analysing"):
        waveforms = {rate: middle(files[name], rate, options.middle_s) for rate in rates}
        for part, analyzer in analyzers.items():
            probabilities[part].append(analyzer.analyze(waveforms[analyzer.sample_rate]).probabilities["key"])
    heard = {model: np.mean([probabilities[part] for part in model.split("+")], 0).argmax(1) for model in models}

    agreed = np.all([keys[program] == keys[options.agreed.split(",")[0]] for program in options.agreed.split(",")], 0)
    first, second = (keys[program] for program in options.judges.split(","))
    rows = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
    table = Table("program", f"agreed ({agreed.sum()} tracks)", "95 %", f"three-way ({len(names)} tracks)", "95 %",
                  "relative", "parallel", "fifth", "other", box=MARKDOWN)  # fmt: skip
    for model in models:
        same = heard[model] == first
        shares = [same[row][agreed[row]].mean() for row in rows]
        estimates = [three_way(heard[model][row], first[row], second[row]) for row in rows]
        kinds = [kind_of_error(*pair) for pair in zip(heard[model][agreed], first[agreed], strict=True)]
        table.add_row(model, f"{same[agreed].mean():.3f}", interval(shares),
                      f"{three_way(heard[model], first, second):.3f}", interval(estimates),
                      *(str(kinds.count(kind)) for kind in ("relative", "parallel", "fifth", "other")))  # fmt: skip
    Console(width=140).print(table)
    for judge, other in zip(options.judges.split(","), reversed(options.judges.split(",")), strict=True):
        estimates = ", ".join(
            f"{three_way(keys[judge], heard[model], keys[other]):.3f} with {model}" for model in models
        )
        print(f"{judge}, three-way: {estimates}")
    if options.csv:
        columns = keys | {name if name not in keys else f"{name} (model)": values for name, values in heard.items()}
        write_records(
            options.csv,
            [{"track": name, **{who: KEYS_24[values[row]] for who, values in columns.items()}}
             for row, name in enumerate(names)],
        )  # fmt: skip


if __name__ == "__main__":
    main()
