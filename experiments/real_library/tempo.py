"""Compare the tempo of songs with that of their notes.mid, which the game Frets on Fire plays along to.

    python experiments/real_library/tempo.py FOLDER --models tempo

FOLDER holds, at any depth, folders with a song.ogg and its notes.mid, as Debian's fretsonfire-songs-muldjord. The tempo
of a song is the one that notes.mid keeps for the longest time. The error is relative to it, without any octave being
forgiven. `--models` takes names of models and export folders, as everywhere. `--csv FILE` writes the table.
"""

import argparse
from collections import Counter
from pathlib import Path

import mido

import musicrec
from musicrec.audio.search import find_audio
from musicrec.system.csv_table import write_records


def written_bpm(midi: Path) -> float:
    """Return the tempo that a MIDI file keeps for the most ticks, in BPM."""
    file = mido.MidiFile(midi)
    changes, now = [(0, mido.bpm2tempo(120))], 0
    for message in mido.merge_tracks(file.tracks):
        now += message.time
        if message.type == "set_tempo":
            changes.append((now, message.tempo))
    kept: Counter[int] = Counter()
    for (begin, tempo), (end, _) in zip(changes, [*changes[1:], (now, 0)], strict=True):
        kept[tempo] += end - begin
    return mido.tempo2bpm(kept.most_common(1)[0][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default="tempo", help="names or export folders, separated by commas")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    analyzer = musicrec.load(*options.models.split(","))

    records = []
    songs = [options.folder / name for name in find_audio(options.folder).files]
    for song in sorted(file for file in songs if file.name == "song.ogg" and file.with_name("notes.mid").exists()):
        written = written_bpm(song.with_name("notes.mid"))
        answer = analyzer.analyze(song).features["tempo"]
        records.append({"song": song.parent.name, "notes_mid_bpm": round(written, 2), "bpm": round(answer["bpm"], 2),
                        "error_percent": round(100 * (answer["bpm"] / written - 1), 2),
                        "probability": round(answer["probability"], 2)})  # fmt: skip
    print("| song | notes.mid | musicrec | error | probability |\n|---|---|---|---|---|")
    for row in records:
        cells = [f"{row['notes_mid_bpm']:.1f} BPM", f"{row['bpm']:.1f} BPM", f"{row['error_percent']:+.2f} %"]
        print(f"| {row['song']} | {' | '.join(cells)} | {row['probability']:.2f} |")
    within = sum(abs(row["error_percent"]) <= 1 for row in records)
    print(f"{within} of {len(records)} within 1 %")
    if options.csv:
        write_records(options.csv, records)


if __name__ == "__main__":
    main()
