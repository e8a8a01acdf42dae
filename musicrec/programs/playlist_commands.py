"""`musicrec playlist`: make, show and continue playlists. They refer to recordings, as feedback does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from musicrec.programs import startup
from musicrec.programs.option_words import named_options
from musicrec.programs.profile_options import (
    Asked,
    JsonOption,
    LibraryOption,
    ProfilesOption,
    UserOption,
    YesOption,
    agreed,
    they_have,
)
from musicrec.recommend.wording import counted, length_text

if TYPE_CHECKING:
    from rich.table import Table

    from musicrec.recommend.profiles.playlist_tracks import PlaylistTrack

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

OPTIONS = {"track": "", "query": "", "settings": "--settings", "k": "-k"}
"""{setting that a message of the library may name: option of these commands}; a track stands by itself."""

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The playlist.")]


@app.callback()
def playlist() -> None:
    """Make playlists of your tracks, and let musicrec continue them.

    A playlist holds recordings, not paths: it stays whole when files are moved
    or tagged anew. `musicrec export FILE --playlist NAME` writes it for
    rekordbox, Traktor or a player.

      musicrec playlist add Friday "Ada – First" "Bo – Last"
      musicrec playlist show Friday
      musicrec playlist continue Friday -k 8
      musicrec playlist remove Friday 2
    """


@app.command("list")
def list_(
    user: UserOption = "me", library: LibraryOption = None, profiles: ProfilesOption = None, as_json: JsonOption = False
) -> None:
    """List your playlists."""
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        from rich.text import Text

        from musicrec.system.console import answer_console, make_table

        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=True) as feedback:
            found = feedback.playlists.all()
        table = make_table(answer_console(), "playlist", "tracks", "changed (UTC)")
        for one in found:
            table.add_row(Text(one.name), f"{len(one.entries):,}", f"{one.changed_at:%Y-%m-%d %H:%M}")
        content = [
            {"name": one.name, "tracks": len(one.entries), "changed_at": one.changed_at.isoformat()} for one in found
        ]
        none = f"{they_have(user)} no playlist yet; make one with `musicrec playlist add NAME TRACK`"
        asked.show({"user": user, "playlists": content}, table if found else none)


@app.command()
def show(
    name: _Name,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a playlist with tempo, key, energy and length of its tracks."""
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=True) as feedback:
            tracks = feedback.playlists.tracks(name)
        minutes = sum(track.duration_s or 0 for track in tracks) / 60
        lines = [_table(tracks)] if tracks else []
        lost = [track for track in tracks if track.state != "present"]
        problems = [f"{track.place}: {track.name}: {_trouble(track)}" for track in lost]
        content = {"user": user, "name": name, "tracks": [track.to_dict() for track in tracks]}
        asked.show(content, *lines, *problems, f"{name}: {counted(len(tracks))}, {minutes:.0f} minutes")


@app.command()
def add(
    name: _Name,
    tracks: Annotated[list[str], typer.Argument(metavar="TRACK", help="File, title, or “artist – title”.")],
    at: Annotated[int | None, typer.Option(metavar="PLACE", help="Place of the first, from 1; default: last.")] = None,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add tracks to a playlist; a new name makes a new playlist.

    They must be in your library; a file may also be a copy of one that is.

      musicrec playlist add Friday "Ada – First" ~/Music/second.flac
      musicrec playlist add Friday "Bo – Last" --at 1
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            added = feedback.playlists.add(name, *tracks, at=at)
            now = len(feedback.playlists.get(name).entries)
        first = now - len(added) + 1 if at is None else at
        places = range(first, first + len(added))
        _show_added(asked, name, [entry.title for entry in added], places, now)


@app.command()
def remove(
    name: _Name,
    tracks: Annotated[
        list[str], typer.Argument(metavar="PLACE|TRACK", help="Places, as `playlist show` numbers them, or tracks.")
    ],
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove tracks from a playlist, by place or by name.

    A number is a place. A name removes the track wherever it occurs.

      musicrec playlist remove Friday 2
      musicrec playlist remove Friday "Ada – First"
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            removed = feedback.playlists.remove(name, *(int(one) if one.isdecimal() else one for one in tracks))
            left = len(feedback.playlists.get(name).entries)
        shown = ", ".join(f"{place} {entry.title or entry.audio_hash[:8]}" for place, entry in removed)
        back = [
            asked.command("playlist", "add", name, entry.title or entry.audio_hash[:8], "--at", place)
            for place, entry in removed
        ]
        content = {
            "user": asked.user,
            "name": name,
            "removed": [
                {"place": place, "audio_hash": entry.audio_hash, "name": entry.title} for place, entry in removed
            ],
            "tracks": left,
            "undo": back,
        }
        done = f"removed from {name}: {shown}; {counted(left)} left; to undo: {' && '.join(back)}"
        asked.show(content, done)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD", help="The playlist.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a playlist another name."""
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            feedback.playlists.rename(old, new)
        back = asked.command("playlist", "rename", new, old)
        asked.show({"user": user, "old": old, "new": new, "undo": back}, f"renamed {old} to {new}; to undo: {back}")


@app.command()
def delete(
    name: _Name,
    yes: YesOption = False,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a playlist, for good. Asks first; without a terminal, only --yes deletes.

    Your music files are not touched.
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        from musicrec.errors import ProfileError

        startup.finish()
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback() as feedback:
            there = counted(len(feedback.playlists.get(name).entries))
            if not agreed(f"Delete the playlist {name} with {there}? This cannot be undone.", yes=yes, as_json=as_json):
                kept = asked.command("export", f"{name}.m3u8", "--playlist", name)
                raise ProfileError(f"{name}: nothing was deleted; --yes deletes it for good. To keep a copy: {kept}")
            feedback.playlists.delete(name)
        asked.show({"user": user, "name": name, "deleted": True}, f"deleted {name} with {there}; this cannot be undone")


@app.command("continue")
def continue_(
    name: _Name,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Number of tracks to find.", min=1)] = 10,
    settings: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="How tracks follow each other; see `musicrec set`.")
    ] = None,
    add_them: Annotated[bool, typer.Option("--add", help="Add them to the playlist.")] = False,
    user: UserOption = "me",
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find tracks that go on after the last one of a playlist.

    Each follows well on the one before, as in `musicrec set`. Tracks of the
    playlist and those that you never want again are left out.

      musicrec playlist continue Friday -k 8
      musicrec playlist continue Friday --add
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        from musicrec.recommend.profiles.records import Entry
        from musicrec.recommend.sets.settings import read_set_settings
        from musicrec.recommend.sets.table import as_table
        from musicrec.system.console import answer_console

        startup.finish()
        how = None if settings is None else read_set_settings(settings)
        asked = Asked(library=library, user=user, profiles=profiles, as_json=as_json)
        with asked.feedback(read_only=not add_them) as feedback:
            made = feedback.playlists.find_next(name, k=k, settings=how)
            new = [Entry(audio_hash=track.audio_hash, title=track.name) for track in made.tracks[1:]]
            if not as_json:
                answer_console().print(as_table(made, width=answer_console().width))
            if not add_them:
                more = asked.command("playlist", "continue", name, "-k", k, "--add")
                asked.show(made.to_dict(), f"not added yet; to add them to {name}: {more}")
                return
            feedback.playlists.append(name, new)
            now = len(feedback.playlists.get(name).entries)
        _show_added(asked, name, [entry.title for entry in new], range(now - len(new) + 1, now + 1), now)


def _show_added(asked: Asked, name: str, titles: Sequence[str], places: range, now: int) -> None:
    back = asked.command("playlist", "remove", name, *places)
    content = {
        "user": asked.user,
        "name": name,
        "added": [{"place": place, "name": title} for place, title in zip(places, titles, strict=True)],
        "tracks": now,
        "undo": back,
    }
    asked.show(content, f"added to {name}: {', '.join(titles)}; it has {counted(now)}; to undo: {back}")


def _trouble(track: "PlaylistTrack") -> str:
    if track.state == "unknown":
        return "the library does not hold it; `musicrec index` the folder that it is in"
    return f"its file is missing ({track.path}); it comes back when the file does"


def _table(tracks: "Sequence[PlaylistTrack]") -> "Table":
    from rich.text import Text

    from musicrec.system.console import answer_console, make_table

    table = make_table(answer_console(), "#", "track", "BPM", "key", "energy", "length")
    for track in tracks:
        length = "–" if track.duration_s is None else length_text(track.duration_s)
        table.add_row(
            str(track.place),
            Text(track.name, "" if track.state == "present" else "yellow"),
            "–" if track.bpm is None else f"{track.bpm:.1f}",
            " ".join(filter(None, (track.camelot, track.key))) or "–",
            "–" if track.energy is None else f"{track.energy:.1f}",
            length,
        )
    return table
