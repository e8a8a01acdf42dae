"""What `musicrec index` and `musicrec query` print, and `musicrec recommend` as well."""

import json
import sys
from pathlib import Path
from typing import Any

from musicrec.recommend import presentation, service
from musicrec.system.console import output_console


def index(source: str | Path, *, library: str | Path, **settings: Any) -> None:
    """Bring a library up to date, and print what was done.

    Args:
        source: A folder of music, a playlist, a collection or a manifest.
        library: The file of the library.
        settings: The other settings of `service.update_library`.

    Raises:
        SystemExit: It was interrupted; the status is 130.
    """
    out = output_console()
    done, size = service.update_library(
        source, library=library, tell=lambda text: out.print(text, soft_wrap=True, markup=False), **settings
    )
    out.print(presentation.index_text(done, library=Path(library).expanduser(), size=size), soft_wrap=True)
    if done.interrupted:
        print("interrupted; the same command continues")
        sys.exit(130)


def query(track: str, *, library: str | Path, as_json: bool, **settings: Any) -> None:
    """Print the tracks of a library that go with a track.

    Args:
        track: An audio file, or a track of the library; see `service.find_track`.
        library: The file of the library.
        as_json: Print JSON instead of a table.
        settings: The other settings of `service.answer_query`.
    """
    answer = service.answer_query(track, library=library, **settings)
    if as_json:
        print(json.dumps(answer, indent=1))
    else:
        out = output_console()
        out.print(presentation.as_table(answer, width=out.width))
