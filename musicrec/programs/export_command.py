"""`musicrec export`: playlists, sets, answers and libraries as files for DJ programs, players and spreadsheets."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musicrec.programs import startup
from musicrec.programs.option_words import named_options
from musicrec.programs.profile_options import (
    PANEL,
    Asked,
    ForceOption,
    JsonOption,
    LibraryOption,
    ProfilesOption,
    UserOption,
)
from musicrec.recommend.wording import counted

if TYPE_CHECKING:
    from musicrec.interchange.key_notation import KeyNotation
    from musicrec.recommend.deck_files import DeckExport
    from musicrec.recommend.recommender import Recommender

app = typer.Typer(rich_markup_mode="rich")

_NOTATIONS: "dict[str, KeyNotation]" = {"camelot": "camelot", "open": "open_key", "name": "musical"}
_SHOWN = 5


@app.command(rich_help_panel=PANEL)
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Ends in .xml (rekordbox), .nml (Traktor), .m3u8, .csv or .json.")
    ],
    playlist: Annotated[str | None, typer.Option(metavar="NAME", help="A playlist of yours.")] = None,
    set_: Annotated[
        Path | None, typer.Option("--set", metavar="SET.json", help="What `musicrec set --json` printed.")
    ] = None,
    query: Annotated[str | None, typer.Option(metavar="TRACK", help="The answer to a query, best first.")] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Number of tracks of the answer.", min=1)] = 10,
    everything: Annotated[bool, typer.Option("--all", help="The whole library.")] = False,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Name of the playlist in the file.")] = None,
    key_notation: Annotated[str, typer.Option(metavar="HOW", help="camelot (8A), open (1m) or name (Am).")] = "camelot",
    relative_to: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For .m3u8: make paths relative to where the playlist will lie."),
    ] = None,
    relocate: Annotated[
        list[str] | None,
        typer.Option(metavar="OLD=NEW", help="Where a folder is on the other computer; can be given several times."),
    ] = None,
    force: ForceOption = False,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write tracks for rekordbox, Traktor, players or spreadsheets.

    The end of the name chooses the format. Tempo and key are ours; cues, beat
    grids and comments of collections that you indexed go along, and so do your
    stars. Audio files are never touched, and files that exist are not replaced.

      musicrec export friday.xml --playlist Friday
      musicrec export next.m3u8 --query new_track.mp3 -k 20
      musicrec set "Ada – First" --json > set.json
      musicrec export set.nml --set set.json --key-notation open
      musicrec export all.csv --all
      musicrec export friday.xml --playlist Friday
        --relocate ~/Music=C:/Users/me/Music

    In rekordbox: Preferences > Advanced > rekordbox xml. In Traktor: Import
    Another Collection. docs/interchange.md has the details.
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options({"query": "--query"}):
        from musicrec.errors import ConfigError
        from musicrec.recommend.deck_files import check_format

        startup.finish()
        wanted = {"--playlist": playlist, "--set": set_, "--query": query, "--all": everything or None}
        given = [option for option, value in wanted.items() if value is not None]
        if len(given) != 1:
            named = f"not {' and '.join(given)} together" if given else "name one"
            raise ConfigError(
                f"{file}: what to write? {named}: --playlist NAME, --set SET.json, --query TRACK or --all"
            )
        check_format(file, replace=force, force="--force")
        notation = parse_notation(key_notation)
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.both(read_only=True) as (recommender, feedback):
            tracks: list[str] | None = None
            if playlist is not None:
                tracks = [entry.audio_hash for entry in feedback.playlists.get(playlist).entries]
            elif set_ is not None:
                tracks = read_set(set_)
            elif query is not None:
                tracks = answer_hashes(recommender, query, k=k)
            done = recommender.export(
                file,
                tracks,
                name=name or playlist,
                key_notation=notation,
                relative_to=relative_to,
                relocate=relocate or (),
                ratings=feedback.ratings(),
                replace=force,
            )
        asked.show(asdict(done), *written_text(done))


def parse_notation(text: str) -> "KeyNotation":
    """Return the notation of keys that --key-notation names.

    Raises:
        ConfigError: There is no such notation.
    """
    from musicrec.config.value_check import join_alternatives
    from musicrec.errors import ConfigError

    if text not in _NOTATIONS:
        raise ConfigError(f"--key-notation {text}: choose {join_alternatives(list(_NOTATIONS))}")
    return _NOTATIONS[text]


def read_set(file: Path) -> list[str]:
    """Return the recordings of a set that `musicrec set --json` printed.

    Raises:
        ConfigError: The file cannot be read, or is something else.
    """
    from musicrec.errors import ConfigError

    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"--set {file}: cannot be read: {error.strerror}") from None
    except ValueError:
        content = None
    tracks = content.get("tracks") if isinstance(content, dict) else None
    if not isinstance(tracks, list) or not tracks or not all(isinstance(one, dict) for one in tracks):
        raise ConfigError(f"--set {file}: is no set; write one with `musicrec set TRACK --json > SET.json`")
    hashes = [one.get("audio_hash") for one in tracks]
    if not all(isinstance(one, str) and one for one in hashes):
        raise ConfigError(f"--set {file}: does not say which recordings it has; build the set again with --json")
    return hashes


def answer_hashes(recommender: "Recommender", track: str, *, k: int) -> list[str]:
    """Return the recordings of the answer to a query, best first."""
    answer = recommender.query(track, k=k)
    return recommender.recordings_of([result["path"] for result in answer.results])


def written_text(done: "DeckExport") -> list[str]:
    """Return what was written, in words."""
    twice = f" in {done.entries:,} entries" if done.entries > done.tracks else ""
    lines = [f"left out {text}" for text in done.left_out[:_SHOWN]]
    if len(done.left_out) > _SHOWN:
        lines.append(f"left out {len(done.left_out) - _SHOWN:,} more")
    if done.replaced:
        return [*lines, f"replaced {done.path}: {counted(done.tracks)}{twice}; the old file is gone"]
    return [*lines, f"wrote {counted(done.tracks)}{twice} to {done.path}; delete the file to undo it"]
