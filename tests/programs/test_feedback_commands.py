"""Feedback, profiles and playlists as commands, on a library of invented tracks."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from musicrec.heads.key import KeyHead
from musicrec.heads.tempo import TempoHead
from musicrec.programs.command import main
from musicrec.recommend.sqlite_library import SqliteLibrary
from musicrec.recommend.track import Track

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[str, str]]


def make_track(number: int, title: str) -> Track:
    tempo, key = TempoHead(), KeyHead()
    return Track(
        path=f"/music/{number}.flac",
        track_id=f"id {number}",
        source="/music",
        title=title,
        artist="Ada & Bo",
        size=1,
        mtime_ns=1,
        audio_hash=f"{number:032d}",
        duration_s=200.0 + number,
        probabilities={
            "tempo": np.eye(len(tempo.classes), dtype=np.float32)[60 + number],
            "key": np.eye(len(key.classes), dtype=np.float32)[number % 24],
        },
        embedding=np.random.default_rng(number).normal(size=4).astype(np.float32),
        descriptors={"energy": 5.0 + number / 10},
    )


TITLES = ("Ünder [ice]", "Second", "Third 🎧", "Fourth", "Fifth", "Sixth", "Seventh", "Eighth")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    heads = [TempoHead(), KeyHead()]
    with SqliteLibrary.create(tmp_path / "l.sqlite", exports=[], heads=heads, embedding_size=4) as made:
        made.add([make_track(number, title) for number, title in enumerate(TITLES, start=1)])
    monkeypatch.setenv("MUSICREC_LIBRARY", str(tmp_path / "l.sqlite"))
    monkeypatch.delenv("MUSICREC_PROFILES", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "l.sqlite"


@pytest.fixture
def run(library: Path, capsys: pytest.CaptureFixture) -> Run:
    """Run the command in this process; return what it printed and its errors, with line breaks as blanks."""

    def call(*words: object, status: int = 0) -> tuple[str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        assert int(end.value.code or 0) == status, printed.err
        if "--json" in words:
            return printed.out, printed.err
        return " ".join(printed.out.split()), " ".join(printed.err.split())

    return call


def test_each_says_what_it_did_and_the_way_back_works(run: Run):
    for words, said in (
        (("like", "Second", "Third 🎧"), "liked Ada & Bo – Second liked Ada & Bo – Third 🎧; to undo: "),
        (("dislike", "Fourth"), "never again Ada & Bo – Fourth; to undo: "),
        (("rate", "ünder [ice]", "4"), "rated Ada & Bo – Ünder [ice]: 4 stars; to undo: "),
        (("skip", "id 5", "--after", "Second"), "skipped Ada & Bo – Fifth after Ada & Bo – Second; to undo: "),
        (("pair", "Second", "Fifth"), "remembered that Ada & Bo – Fifth works after Ada & Bo – Second; to undo: "),
    ):
        printed, _ = run(*words, "--user", "Anna B")
        assert printed.startswith(said)
        undone, _ = run(*shlex.split(printed.partition("to undo: musicrec ")[2]))
        assert undone.startswith("took back: ") and "musicrec history --user 'Anna B'" in undone
    assert "Anna B has nothing to take back" in run("undo", "--user", "Anna B")[0]
    assert "Anna B has said nothing yet" in run("history", "--user", "Anna B")[0]
    shown, _ = run("history", "--user", "Anna B", "--undone")
    for text in ("works", "skipped", "4 stars", "never again", "liked", "Ünder [ice]", "taken back"):
        assert text in shown


def test_json(run: Run):
    said = json.loads(run("like", "Second", "--json")[0])
    assert (said["user"], said["undo"], said["said"][0]["kind"]) == ("me", "musicrec undo", "liked")
    assert said["said"][0]["at"].endswith("+00:00")
    (event,) = json.loads(run("history", "--json")[0])["events"]
    assert event == said["said"][0]
    assert json.loads(run("undo", "--json")[0])["undone"][0]["undone_at"]
    assert json.loads(run("playlist", "list", "--json")[0]) == {"user": "me", "playlists": []}


def test_mistakes_get_one_message_with_the_way_out(run: Run, tmp_path: Path):
    (tmp_path / "new.wav").write_bytes(b"RIFF")
    for words, message in (
        (("like", "Secnd"), "error: Secnd: there is no such file, and no such track in"),
        (("like", "Secnd"), "did you mean Ada & Bo – Second?"),
        (("like", "new.wav"), "this file is not in"),
        (("rate", "Second", "6"), "STARS 6: give a whole number from 1 to 5"),
        (("playlist", "show", "No"), "you have no playlist 'No'; there is none yet"),
        (("profile", "export", "me.txt"), "me.txt: give a file whose name ends in .json"),
        (("profile", "export"), "there is no user 'me'"),
        (("profile", "import", "none.json"), "none.json: cannot be read: No such file"),
        (("profile", "import", "new.wav"), "new.wav: is no JSON; give what `musicrec profile export` wrote"),
        (("profile", "delete", "Anna", "--yes"), "there is no user 'Anna'"),
        (("like", "Second", "--profiles", "mysql://u:secret@h/d"), "profiles are kept in SQLite or PostgreSQL"),
        (("like", "Second", "--library", "none.sqlite"), "no such library"),
        (("playlist", "continue", "No", "--settings", "vinly"), "--settings vinly: choose default, harmonic or vinyl"),
    ):
        printed, error = run(*words, status=1)
        assert printed == "" and error.startswith("error: ") and message in error and "secret" not in error
    assert "no such library" not in run("history")[0]


@pytest.mark.parametrize(
    "words",
    [[name] for name in ("like", "dislike", "rate", "skip", "pair", "undo", "history", "playlist", "profile", "export")]
    + [["playlist", name] for name in ("list", "show", "add", "remove", "rename", "delete", "continue")]
    + [["profile", name] for name in ("list", "export", "import", "delete")],
    ids=" ".join,
)
def test_help_teaches(run: Run, words: list[str]):
    printed, _ = run(*words, "--help")
    assert "Usage: musicrec" in printed
    if words not in (["playlist", "list"], ["playlist", "show"], ["playlist", "rename"], ["playlist", "delete"],
                     ["profile", "list"], ["profile", "import"], ["profile", "delete"]):  # fmt: skip
        assert f"musicrec {' '.join(words)} " in printed or f"musicrec {words[0]} " in printed, "an example"


def test_playlists(run: Run, library: Path):
    printed, _ = run("playlist", "add", "Fri & day", "Second", "Third 🎧", "id 5")
    assert printed == (
        "added to Fri & day: Ada & Bo – Second, Ada & Bo – Third 🎧, Ada & Bo – Fifth; it has 3 tracks; "
        "to undo: musicrec playlist remove 'Fri & day' 1 2 3"
    )
    run("playlist", "add", "Fri & day", "Fourth", "--at", "1")
    shown = json.loads(run("playlist", "show", "Fri & day", "--json")[0])["tracks"]
    assert [(track["place"], track["name"][-6:]) for track in shown][:2] == [(1, "Fourth"), (2, "Second")]
    assert shown[0]["energy"] == 5.4 and shown[0]["bpm"] and shown[0]["camelot"]
    printed, _ = run("playlist", "show", "Fri & day")
    assert "Ada & Bo – Third 🎧" in printed and "Fri & day: 4 tracks, 14 minutes" in printed and "3:22" in printed

    printed, _ = run("playlist", "remove", "Fri & day", "1", "id 5")
    assert "removed from Fri & day: 1 Ada & Bo – Fourth, 4 Ada & Bo – Fifth; 2 tracks left" in printed
    for command in printed.partition("to undo: ")[2].split(" && musicrec "):
        run(*shlex.split(command.removeprefix("musicrec ")))
    again = json.loads(run("playlist", "show", "Fri & day", "--json")[0])["tracks"]
    assert again == shown

    run("dislike", "Sixth")
    printed, _ = run("playlist", "continue", "Fri & day", "-k", "2")
    assert "Sixth" not in printed and "to add them to Fri & day: musicrec playlist continue 'Fri & day' -k 2" in printed
    added = json.loads(run("playlist", "continue", "Fri & day", "-k", "2", "--add", "--json")[0])
    assert [one["place"] for one in added["added"]] == [5, 6] and added["tracks"] == 6
    run(*shlex.split(added["undo"].removeprefix("musicrec ")))

    with SqliteLibrary.open(library) as opened:
        opened.remove(["/music/4.flac"])
    printed, _ = run("playlist", "show", "Fri & day")
    assert "1: Ada & Bo – Fourth: the library does not hold it; `musicrec index` the folder" in printed

    printed, _ = run("playlist", "rename", "Fri & day", "Sat")
    assert printed == "renamed Fri & day to Sat; to undo: musicrec playlist rename Sat 'Fri & day'"
    assert "Sat" in run("playlist", "list")[0]
    _, error = run("playlist", "delete", "Sat", status=1)
    assert "Sat: nothing was deleted; --yes deletes it for good. To keep a copy: musicrec export Sat.m3u8" in error
    assert "deleted Sat with 4 tracks" in run("playlist", "delete", "Sat", "--yes")[0]
    assert "you have no playlist yet" in run("playlist", "list")[0]


def test_profiles(run: Run, tmp_path: Path):
    run("like", "Second")
    run("playlist", "add", "Friday", "Third 🎧")
    assert "wrote the profile of me (1 word, 1 playlist) to me.json" in run("profile", "export", "me.json")[0]
    assert (
        "exists already; give another name, or replace it with --force"
        in run("profile", "export", "me.json", status=1)[1]
    )
    run("profile", "export", "me.json", "--force")
    assert json.loads((tmp_path / "me.json").read_text())["user"]["name"] == "me"
    assert "import it as another with --user NAME, or --replace it" in run("profile", "import", "me.json", status=1)[1]
    assert "to undo it: musicrec profile delete Anna" in run("profile", "import", "me.json", "--user", "Anna")[0]
    run("profile", "import", "me.json", "--replace")
    run("profile", "import", "me.json", "--profiles", "elsewhere.sqlite")
    users = json.loads(run("profile", "list", "--json")[0])["users"]
    assert [user["name"] for user in users] == ["Anna", "me"]
    assert "1 profile in elsewhere.sqlite" in run("profile", "list", "--profiles", "elsewhere.sqlite")[0]
    _, error = run("profile", "delete", "Anna", status=1)
    assert "To keep a copy: musicrec profile export Anna.json --user Anna" in error
    assert "deleted Anna with 1 word and 1 playlist" in run("profile", "delete", "Anna", "--yes")[0]
    assert "2 profiles" not in run("profile", "list")[0]


def test_a_terminal_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch):
    run("playlist", "add", "Friday", "Second")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    run("playlist", "delete", "Friday", status=1)
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    run("playlist", "delete", "Friday")


@pytest.mark.slow
def test_as_a_user_runs_it(library: Path, tmp_path: Path):
    """In processes of its own; and what takes seconds to import is not imported."""
    code = (
        "import sys; from musicrec.programs.command import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'hydra', 'pytorch_lightning', 'matplotlib'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def command(*words: str) -> str:
        arguments = [sys.executable, "-c", code, *words]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert "liked Ada & Bo – Second" in command("like", "Second")
    assert "added to Friday" in command("playlist", "add", "Friday", "Second", "Third 🎧")
    printed = command("export", "Friday.m3u8", "--playlist", "Friday")
    assert "wrote 2 tracks to Friday.m3u8" in printed and printed.endswith("[]\n")
    assert (tmp_path / "Friday.m3u8").read_text().count("/music/") == 2
