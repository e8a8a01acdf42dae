"""`musicrec query`: which tracks of a library go with a track, or with several."""

from typing import Annotated, Any

import typer

from musicrec.errors import ConfigError
from musicrec.programs import startup
from musicrec.programs.option_words import listed, listed_models, named_options
from musicrec.programs.profile_options import LibraryOption, ProfilesOption, UserOption

app = typer.Typer(rich_markup_mode="rich")

_FILTERS = "Filters"
_ORDER = "Ranking"

OPTIONS = {
    "query": "",
    "towards": "--to",
    "k": "-k",
    "preset": "--preset",
    "at_s": "--at",
    "preset.passage": "--passage",
    "similarity.metric": "--metric",
    "search": "--search",
    "reranking.neighbours": "--neighbours",
    "reranking.hubs": "--hubs",
    "reranking.balance": "--balance",
    "weights.": "--weights ",
    "models": "--models",
    "device": "--device",
    "engine": "--engine",
    "key_table": "--key-table",
}
"""{setting that a message of the library may name: option of the command}; a track stands without an option."""


def _filter(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text, rich_help_panel=_FILTERS)


@app.command(rich_help_panel="Your music")
def query(
    tracks: Annotated[
        list[str], typer.Argument(metavar="TRACK", help="Audio files, or tracks of the library by their names.")
    ],
    unlike: Annotated[
        list[str] | None, typer.Option(metavar="TRACK", help="A track that the answer should not be like; repeatable.")
    ] = None,
    k: Annotated[int, typer.Option("-k", metavar="N", help="Number of tracks to recommend.")] = 10,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="mix (for DJs), inspire (for producers), explore, or a YAML file of yours."),
    ] = None,
    bpm: Annotated[
        str | None, _filter("RANGE", "120-128, or how far from the query: 6%. Half and double tempo pass.")
    ] = None,
    multiples: Annotated[
        str | None, _filter("LIST", "Which multiples of a tempo pass: half,double,3:2,2:3, or own.")
    ] = None,
    key: Annotated[str | None, _filter("KEYS", "8A, 1m or A minor; or compatible, same, neighbour, relative …")] = None,
    vinyl: Annotated[
        bool | None,
        typer.Option("--vinyl/--key-lock", help="Whether the tempo moves the key.", rich_help_panel=_FILTERS),
    ] = None,
    key_shift: Annotated[
        bool | None,
        typer.Option("--key-shift", help="A semitone up or down is compatible.", rich_help_panel=_FILTERS),
    ] = None,
    key_table: Annotated[
        str | None, _filter("NAME", "Which keys are compatible: reklawdbox, music_assistant, mixxx, or a file.")
    ] = None,
    energy: Annotated[str | None, _filter("RANGE", "6-9, or how far from the query: ±1.")] = None,
    loudness: Annotated[str | None, _filter("RANGE", "In LUFS, -12..-8, or how far from the query: ±3.")] = None,
    year: Annotated[str | None, _filter("RANGE", "1990-1999, 1994, or how far from the query: ±5.")] = None,
    duration: Annotated[str | None, _filter("RANGE", "3:00-6:30, or 55:00-1:10:00.")] = None,
    genre: Annotated[str | None, _filter("LIST", "house,techno; same is the query's.")] = None,
    tags: Annotated[str | None, _filter("LIST", "Tags of which a track needs one, instead of the query's.")] = None,
    all_tags: Annotated[str | None, _filter("LIST", "Tags that a track needs, all of them.")] = None,
    no_tags: Annotated[str | None, _filter("LIST", "Tags that a track must not have.")] = None,
    not_artist: Annotated[list[str] | None, _filter("NAME", "An artist to leave out; same is the query's.")] = None,
    not_album: Annotated[list[str] | None, _filter("NAME", "An album to leave out; same is the query's.")] = None,
    max_per_artist: Annotated[int | None, _filter("N", "The most tracks of one artist.")] = None,
    same_recording: Annotated[
        bool | None,
        typer.Option(
            "--same-recording", help="Also other versions of the query's own recording.", rich_help_panel=_FILTERS
        ),
    ] = None,
    include_unreliable: Annotated[
        bool,
        typer.Option("--include-unreliable", help="Also silent and very short tracks.", rich_help_panel=_FILTERS),
    ] = False,
    keep_unknown: Annotated[
        str | None, _filter("LIST", "year,key …: tracks of which this is unknown pass; all for everything.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="What counts how much: tempo=3,key=2,embedding=1.", rich_help_panel=_ORDER),
    ] = None,
    passage: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which parts must fit: outro_to_intro, intro_to_outro, best (anywhere), or whole.",
            rich_help_panel=_ORDER,
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Short for --passage outro_to_intro.", rich_help_panel=_ORDER),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Ask by 30 s of the track from this place on, as in 1:20."),
    ] = None,
    diverse: Annotated[
        bool,
        typer.Option("--diverse", help="Prefer tracks that differ; as --balance 0.6.", rich_help_panel=_ORDER),
    ] = False,
    balance: Annotated[
        float | None,
        typer.Option(
            metavar="0…1", help="1: the most similar; less: they also differ from each other.", rich_help_panel=_ORDER
        ),
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="How many tracks around the query tell with it how it sounds.", rich_help_panel=_ORDER
        ),
    ] = None,
    hubs: Annotated[
        float | None,
        typer.Option(
            metavar="0…1", help="How far tracks that are near to everything are put back.", rich_help_panel=_ORDER
        ),
    ] = None,
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="cosine, euclidean or correlation.", rich_help_panel=_ORDER)
    ] = "cosine",
    search: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="exact, kdtree, balltree, or lance in LanceDB; all find the same.",
            rich_help_panel=_ORDER,
        ),
    ] = None,
    playlist: Annotated[
        bool,
        typer.Option("--continue", help="The tracks are a playlist; go on from its end.", rich_help_panel=_ORDER),
    ] = False,
    user: UserOption = "me",
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="TRACK", help="A path of -k tracks to this one, in small steps.", rich_help_panel=_ORDER
        ),
    ] = None,
    library: LibraryOption = None,
    profiles: ProfilesOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all tags and features.")] = False,
    models: Annotated[list[str] | None, typer.Option(metavar="A,B", help="Names of models, or export folders.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto takes the GPU if there is one.")] = "auto",
    engine: Annotated[
        str, typer.Option(help="torch, onnx, openvino or fastest; auto takes torch, or what MUSICREC_ENGINE says.")
    ] = "auto",
) -> None:
    """Ask which tracks of your library go with a track.

    The track can be any audio file. It need not be in the library and is not
    added to it. There are two steps: tracks that share its most telling tags
    stay; these are ranked by how similar they are. `change` is how much faster
    a track is, at its own, half (÷2) or double (×2) tempo; keys are Camelot
    codes (8A goes with 8A, 7A, 9A and 8B); energy is 1, calm, to 10, hard.

      musicrec query new_track.mp3
      musicrec query new_track.mp3 --preset mix -k 30
      musicrec query new_track.mp3 --bpm 6% --key compatible --not-artist same
      musicrec query one.mp3 other.mp3 --unlike third.mp3
      musicrec query one.mp3 --to other.mp3 -k 6
      musicrec query mix.mp3 --at 41:20
      musicrec query new_track.mp3 --json > answer.json

    What you liked, disliked or skipped (`musicrec like`) changes the order.
    `musicrec recommend` does the same with settings, for experiments.
    """
    from musicrec.config.explain import one_message

    with one_message(), named_options(OPTIONS):
        from musicrec.programs import library_commands
        from musicrec.programs.filter_options import parse_place, read_filters
        from musicrec.recommend.presets import read_preset

        if follow and passage is not None:
            raise ConfigError(f"--passage {passage}: leave out --follow, which is short for --passage outro_to_intro")
        startup.finish()
        words = {
            "genre": genre,
            "bpm": bpm,
            "multiples": multiples,
            "key": key,
            "key_table": key_table,
            "key_shift": key_shift,
            "key_lock": None if vinyl is None else not vinyl,
            "energy": energy,
            "loudness": loudness,
            "year": year,
            "duration": duration,
            "not_artist": not_artist or (),
            "not_album": not_album or (),
            "same_recording": same_recording,
            "max_per_artist": max_per_artist,
            "keep_unknown": keep_unknown,
        }
        if diverse and balance is not None:
            raise ConfigError(f"--diverse and --balance {balance:g}: give one of them")
        chosen = None if preset is None else read_preset(preset)
        given = {name: word for name, word in words.items() if word not in (None, ())}
        base = None if chosen is None else chosen.filters
        library_commands.query(
            tracks,
            library=library,
            unlike=unlike or (),
            playlist=playlist,
            towards=to,
            k=k,
            preset=chosen,
            filters=read_filters(base=base, **given) if given else None,
            tags={"any": listed(tags), "all": listed(all_tags), "none": listed(no_tags)},
            weights=parse_weights(weights),
            passage="outro_to_intro" if follow else passage,
            at_s=None if at is None else parse_place(at),
            metric=metric,
            neighbours=neighbours,
            hubs=hubs,
            balance=0.6 if diverse else balance,
            search=search,
            include_unreliable=include_unreliable,
            models=listed_models(models),
            device=device,
            engine=engine,
            user=user,
            profiles=profiles,
            as_json=as_json,
        )


def parse_weights(text: str | None) -> dict[str, float] | None:
    """Read weights such as "tempo=3,key=2"; None for none.

    Raises:
        ConfigError: A part is no weight.
    """
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in listed(text):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ConfigError(f"--weights {text}: {part!r} is no weight; write tempo=3,key=2") from None
    return found
