"""`musicrec serve`: the page and its API."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from musicrec.programs import startup
from musicrec.programs.profile_options import LibraryOption, ProfilesOption

app = typer.Typer(rich_markup_mode="rich")

_NETWORK = "For others"


@app.command(rich_help_panel="Your music")
def serve(
    library: LibraryOption = None,
    host: Annotated[
        str,
        typer.Option(
            envvar="MUSICREC_HOST", help="The address to listen on; 0.0.0.0 lets others in.", rich_help_panel=_NETWORK
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="MUSICREC_PORT", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="MUSICREC_TOKEN",
            help="What others must know; without it, a new one is made and printed.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    users: Annotated[
        bool,
        typer.Option(
            "--users",
            envvar="MUSICREC_USERS",
            help="Several people, each with a name and a PIN.",
            rich_help_panel=_NETWORK,
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            envvar="MUSICREC_ALLOW_HOST",
            metavar="NAME",
            help="A name of this server, as others write it; repeatable.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    root_path: Annotated[
        str,
        typer.Option(
            envvar="MUSICREC_ROOT_PATH",
            metavar="PATH",
            help="Where a reverse proxy shows it: /music.",
            rich_help_panel=_NETWORK,
        ),
    ] = "",
    index: Annotated[
        bool | None,
        typer.Option(
            "--index/--no-index",
            help="Whether the page can index folders; by default only where others cannot reach it.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    json_logs: Annotated[
        bool,
        typer.Option(
            "--json-logs", envvar="MUSICREC_JSON_LOGS", help="Log each request as JSON.", rich_help_panel=_NETWORK
        ),
    ] = False,
    processes: Annotated[
        int | None,
        typer.Option(
            envvar="MUSICREC_PROCESSES",
            min=0,
            max=64,
            help="How many queries at the same time; each holds the library in memory. 0 saves memory. By default, "
            "what suits this computer.",
        ),
    ] = None,
    open_page: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Open the page in a browser; by default on a desktop.")
    ] = None,
    temporary: Annotated[
        Path | None,
        typer.Option(
            envvar="MUSICREC_TEMPORARY",
            metavar="FOLDER",
            help="Where uploads and previews are written; by default in your cache folder.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …; auto takes the GPU if there is one.")] = "auto",
    profiles: ProfilesOption = None,
) -> None:
    """Open the page: your library, questions, sets and playlists in a browser.

    Only this computer can reach it, unless --host says otherwise. Then a token
    is needed, which is part of the address that is printed; one that you give
    is not printed. Ctrl-C stops it.

      musicrec serve
      musicrec serve --port 9000 --no-open
      musicrec serve --host 0.0.0.0 --users
    """
    from musicrec.config.explain import one_message
    from musicrec.errors import ConfigError

    # Many small questions at once: threads of the linear algebra within each would only wait for each other.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with one_message():
        from musicrec.web.app import create_app
        from musicrec.web.request_log import set_up_logs
        from musicrec.web.security import all_hosts
        from musicrec.web.server import new_token
        from musicrec.web.server import serve as run
        from musicrec.web.settings import ServerSettings, is_loopback

        startup.finish()
        names = all_hosts(allow_host or ())
        alone = is_loopback(host) and not names
        if json_logs and not (alone or token):
            raise ConfigError(
                f"host={host}: others can reach this server, so it needs a token, which is never written to logs; "
                "give one with MUSICREC_TOKEN"
            )
        settings = ServerSettings(
            library=library,
            host=host,
            port=port,
            token=token or (None if alone else new_token()),
            users=users,
            root_path=root_path.rstrip("/"),
            allowed_hosts=names,
            profiles=profiles,
            device=device,
            processes=processes,
            index=alone if index is None else index,
            json_logs=json_logs,
            temporary=temporary,
        )
        set_up_logs(as_json=json_logs)

        def tell(address: str) -> None:
            place, _, secret = address.partition("?token=")
            if json_logs:
                logging.getLogger("musicrec.web").info("listening at %s", place)
                return
            shown = f"{place}?token=…" if secret and token else address  # a token that was given may be a secret here
            print(f"musicrec: {shown}  (Ctrl-C stops it)", flush=True)
            if not alone:
                print(
                    "Others can reach this server. Who has the token in it can use the page; give it only to people "
                    "you trust, and see docs/security.md.",
                    file=sys.stderr,
                    flush=True,
                )

        wanted = _on_desktop() if open_page is None else open_page
        run(create_app(settings), settings, tell=tell, open_page=wanted)


def _on_desktop() -> bool:
    """Return whether there is a desktop whose browser can show the page."""
    if not sys.stdout.isatty() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
