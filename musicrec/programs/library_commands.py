"""What `musicrec index`, `query`, `status` and the like print, and `musicrec recommend` as well."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from musicrec.recommend import report_texts
from musicrec.recommend.answer_table import as_table
from musicrec.recommend.recommender import Recommender
from musicrec.system.console import answer_console


def index(
    source: str | Path,
    *,
    library: str | Path | None,
    models: Sequence[str] = (),
    device: str = "auto",
    engine: str = "auto",
    **settings: Any,
) -> None:
    """Bring a library up to date, and print what was done.

    Args:
        source: A folder of music, a playlist, a collection or a manifest.
        library: The file of the library; None for the default.
        models: As for `Recommender.open`.
        device: As for `Recommender.open`.
        engine: As for `Recommender.open`, but "auto" takes the fastest one that is installed and gives the same
            answers, if MUSICREC_ENGINE does not say otherwise: in a long work, making its graphs pays.
        settings: The other settings of `Recommender.index`.

    Raises:
        SystemExit: It was interrupted; the status is 130.
    """
    out = answer_console()
    if engine == "auto" and not os.environ.get("MUSICREC_ENGINE"):
        engine = "fastest"
    with Recommender.open(library, models=models, device=device, engine=engine) as recommender:
        done = recommender.index(source, tell=lambda text: out.print(text, soft_wrap=True, markup=False), **settings)
        out.print(report_texts.index_text(done, library=recommender.path), soft_wrap=True)
    if done.interrupted:
        print("interrupted; the same command continues")
        sys.exit(130)


def query(
    tracks: Sequence[str],
    *,
    library: str | Path | None,
    as_json: bool,
    models: Sequence[str] = (),
    device: str = "auto",
    engine: str = "auto",
    **settings: Any,
) -> None:
    """Print the tracks of a library that go with a track, or with several.

    Args:
        tracks: Audio files, or tracks of the library; see `Recommender.query`.
        library: The file of the library; None for the default.
        as_json: Print JSON instead of a table.
        models: As for `Recommender.open`.
        device: As for `Recommender.open`.
        engine: As for `Recommender.open`.
        settings: The other settings of `Recommender.query`.
    """
    with Recommender.open(library, models=models, device=device, engine=engine) as recommender:
        answer = recommender.query(tracks, **settings)
    if as_json:
        print(json.dumps(answer.as_dict(), indent=1, ensure_ascii=False))
    else:
        out = answer_console()
        out.print(as_table(answer, width=out.width), crop=False)


def status(*, library: str | Path | None, as_json: bool) -> None:
    """Print what a library holds."""
    with Recommender.open(library) as recommender:
        _show(recommender.status(), report_texts.status_text, as_json=as_json)


def prune(*, library: str | Path | None, yes: bool, as_json: bool) -> None:
    """Delete missing files from a library, after showing them.

    Args:
        library: The file of the library; None for the default.
        yes: Do not ask. Otherwise a terminal is asked, and elsewhere nothing is deleted.
        as_json: Print JSON, and do not ask.
    """
    with Recommender.open(library) as recommender:
        report = recommender.prune(dry_run=True)
        if yes:
            report = recommender.prune()
        elif not as_json and report.recordings + len(report.files) and sys.stdin.isatty():
            answer_console().print(report_texts.prune_text(report), soft_wrap=True, highlight=False)
            answer = input("Delete them? [y/N] ")
            if answer.strip().lower() not in ("y", "yes"):
                print("nothing was deleted")
                return
            report = recommender.prune()
        _show(report, report_texts.prune_text, as_json=as_json)


def relocate(old: str, new: str, *, library: str | Path | None, as_json: bool) -> None:
    """Tell a library where a folder is now, and print how many files were found there."""
    with Recommender.open(library) as recommender:
        _show(recommender.relocate(old, new), report_texts.relocate_text, as_json=as_json)


def verify(*, library: str | Path | None, content: bool, as_json: bool) -> None:
    """Check a library and its files, and print what is wrong.

    Raises:
        SystemExit: Something is wrong; the status is 1.
    """
    with Recommender.open(library) as recommender:
        report = recommender.verify(content=content)
    _show(report, report_texts.verify_text, as_json=as_json)
    if report.problems:
        sys.exit(1)


def _show(report: Any, text_of: Callable[[Any], Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(report), indent=1, ensure_ascii=False))
    else:
        answer_console().print(text_of(report), soft_wrap=True, highlight=False)
