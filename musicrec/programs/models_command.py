"""`musicrec models`: the models that have a name, which of them are on this machine, and how to get the others."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musicrec.programs import startup

if TYPE_CHECKING:
    from musicrec.export.catalogue import CatalogueEntry

app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")

Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Names of models, as `musicrec models` lists them.")]


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List the models that have a name; fetch and remove them.

    A name works wherever an export folder does. `tempo`, `key` and `beats` ship with
    musicrec. Others are fetched once, with their checksum verified, into the
    folder that `musicrec models path` prints; the environment variable
    MUSICREC_MODELS names another one. No other program downloads anything.

      musicrec models                      [dim]what there is, and what it predicts[/]
      musicrec models get musicnn          [dim]fetch the tags of MusiCNN[/]
      musicrec models get musicnn --from musicnn-0.1.0-py3-none-any.whl
    """
    if context.invoked_subcommand is None:
        from musicrec.config.explain import one_message

        with one_message():
            from musicrec.export import catalogue

            startup.finish()
            found = list(catalogue.entries().values())
            print(
                json.dumps([_as_dict(entry) for entry in found], indent=1, ensure_ascii=False)
            ) if as_json else _print_list(found)


@app.command()
def get(
    names: Names,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A file that was fetched elsewhere, instead of the network."),
    ] = None,
) -> None:
    """Fetch models, verify their checksums, and turn them into exports.

    An interrupted download continues where it stopped. The file of `musicnn`
    is a Python package, which pip fetches with its own configuration; it is
    read, and neither installed nor run.
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ConfigError
        from musicrec.export import catalogue, fetch

        startup.finish()
        wanted = [(name, catalogue.named(name)) for name in dict.fromkeys(names)]
        downloads = list(dict.fromkeys(entry.download for _, found in wanted for entry in found if entry.download))
        if file is not None and len(downloads) != 1:
            raise ConfigError(f"--from {file}: is the file of one download; name its model alone, as in get musicnn")
        for name, (entry, *_) in wanted:
            if entry.download is None:
                print(f"{name}: ships with musicrec; there is nothing to fetch")
        for download in downloads:
            made = fetch.get(download, file=file)
            for entry in made:
                print(f"{entry.name}: {entry.folder}")
            if not made:
                there = [entry for entry in catalogue.named(download.name) if entry.is_present]
                print(f"{', '.join(entry.name for entry in there)}: fetched already; see {catalogue.models_folder()}")


@app.command()
def remove(names: Names) -> None:
    """Remove fetched models."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ConfigError
        from musicrec.export import catalogue, fetch

        startup.finish()
        for name in dict.fromkeys(names):
            found = catalogue.named(name)
            if found[0].download is None:
                raise ConfigError(f"{name}: ships with musicrec and cannot be removed; only fetched models can")
            removed = fetch.remove(found)
            print(f"{name}: {f'removed {_enumerate(removed)}' if removed else 'is not on this machine'}")


@app.command()
def path(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A model; without it, the folder of all.")] = None,
) -> None:
    """Print the folder of a model, or that of all fetched models."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.export import catalogue

        startup.finish()
        if name is None:
            print(catalogue.models_folder())
        else:
            catalogue.named(name)  # a path is not asked for
            print(catalogue.resolve(name).absolute())


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Models; without them, all on this machine.")
    ] = None,
) -> None:
    """Compare the files of models with the checksums recorded when they were made."""
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ExportError
        from musicrec.export import catalogue
        from musicrec.export.checksums import find_damage

        startup.finish()
        chosen = [entry for name in names or [] for entry in catalogue.named(name)]
        missing = [entry.name for entry in chosen if not entry.is_present]
        if missing:
            raise ExportError(f"{', '.join(missing)}: not on this machine; run `musicrec models get {missing[0]}`")
        chosen = chosen or [entry for entry in catalogue.entries().values() if entry.is_present]
        damaged = []
        for entry in dict.fromkeys(chosen):
            damage = find_damage(entry.folder)
            for line in damage:
                print(line)
            if damage:
                damaged.append(entry)
            else:
                print(f"{entry.name}: as recorded")
        if damaged:
            ways = [f"`musicrec models get {entry.name}`" if entry.download else "installing musicrec again"
                    for entry in damaged]  # fmt: skip
            raise ExportError(f"{_enumerate(damaged)}: damaged; mend by {' and '.join(dict.fromkeys(ways))}")
        if not chosen:
            print("no model is on this machine; `musicrec models` lists what can be fetched")


@app.command()
def onnx(
    exports: Annotated[list[str], typer.Argument(metavar="EXPORT", help="Names of models, or export folders.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write, instead of model.onnx in the export.")
    ] = None,
) -> None:
    """Write models as ONNX files, which run without musicrec.

    A file has the spectrogram, the network and the probabilities in it, and
    is compared with PyTorch before it is written. musicrec itself needs no
    such files: engines make their own graphs from the weights.

      musicrec models onnx RUN/export
      musicrec models onnx tempo --out tempo.onnx
    """
    from musicrec.config.explain import one_message

    with one_message():
        from musicrec.errors import ConfigError
        from musicrec.export import catalogue, onnx_file

        startup.finish()
        if out is not None and len(exports) != 1:
            raise ConfigError(f"--out {out}: is the file of one model; name one export")
        for name in exports:
            folder = catalogue.resolve(name)
            if out is None and catalogue.SHIPPED in folder.parents:
                raise ConfigError(f"{name}: ships with musicrec, so its folder stays as it is; add --out {name}.onnx")
            print(f"{name}: {onnx_file.write_onnx(folder, out=out)}")


def _print_list(found: "list[CatalogueEntry]") -> None:
    from rich.markup import escape
    from rich.table import Table

    from musicrec.system.console import output_console

    out = output_console()
    for entry in found:
        heading = ", ".join(fact for fact in (_state(entry), _size(entry), f"{entry.licence} licence") if fact)
        out.print(f"[bold]{entry.name}[/] ({heading})", soft_wrap=True)
        facts = Table.grid(padding=(0, 2, 0, 0))
        facts.add_column(min_width=12)
        facts.add_column(overflow="fold")
        figures = "\n".join(f"{figure.text} on {figure.data}, by {figure.by}" for figure in entry.measured)
        for name, value in {
            "predicts": entry.predicts,
            "trained on": entry.trained_on,
            "measured": figures or (f"see {entry.folder / 'README.md'}" if entry.is_present else ""),
            "source": entry.source,
        }.items():
            if value:
                facts.add_row(f"  {name}", escape(value))
        out.print(facts)
    out.print("\nA name works wherever an export does. Fetch one with: musicrec models get NAME", soft_wrap=True)


def _as_dict(entry: "CatalogueEntry") -> dict:
    download = entry.download
    return {
        "name": entry.name,
        "state": _state(entry),
        "predicts": entry.predicts,
        "heads": list(entry.heads),
        "trained_on": entry.trained_on,
        "measured": [vars(figure) for figure in entry.measured],
        "licence": entry.licence,
        "source": entry.source,
        "folder": str(entry.folder),
        "bytes": _bytes(entry) if entry.is_present else None,
        "download": {
            name: getattr(download, name) for name in ("name", "url", "requirement", "file", "bytes", "sha256")
        }
        if download
        else None,
    }


def _state(entry: "CatalogueEntry") -> str:
    if entry.download is None:
        return "ships" if entry.is_present else "missing"
    return "fetched" if entry.is_present else "not fetched"


def _bytes(entry: "CatalogueEntry") -> int:
    return sum(file.stat().st_size for file in entry.folder.iterdir())


def _size(entry: "CatalogueEntry") -> str:
    from musicrec.export.catalogue import megabytes

    if entry.is_present:
        return megabytes(_bytes(entry))
    return f"{megabytes(entry.download.bytes)} to fetch" if entry.download else ""


def _enumerate(found: "list[CatalogueEntry]") -> str:
    return ", ".join(entry.name for entry in found)
