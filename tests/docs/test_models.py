"""docs/models.md says of every model what the catalogue says, and its commands exist."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from musicrec.export import catalogue
from musicrec.export.publish import read_card
from musicrec.programs.models_command import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models.md").read_text()


def row(entry: catalogue.CatalogueEntry) -> str:
    """The row of a model in the table of the page."""
    size = catalogue.megabytes(entry.download.bytes) if entry.download else "ships"
    repository = entry.source.removeprefix("https://github.com/")
    source = entry.source if repository == entry.source else f"[{repository}]({entry.source})"
    places: dict[str, list[str]] = {}
    for figure in entry.measured:
        places.setdefault(f"on {figure.data}, by {figure.by}", []).append(figure.text)
    measured = "; ".join(f"{', '.join(values)} {place}" for place, values in places.items()) or "its model card"
    cells = [f"`{entry.name}`", entry.predicts, size, f"{entry.licence}, {source}", entry.trained_on, measured]
    return f"| {' | '.join(cells)} |"


def test_the_table_is_that_of_the_catalogue():
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert rows == [row(entry) for entry in catalogue.entries().values()], "docs/models.md: write the rows as here"


def test_the_commands_exist():
    lines = [line for line in re.findall(r"^musicrec models (.*)$", PAGE, re.M)]
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert {line.split()[0] for line in lines} == commands
    for line in lines:
        names = [word for word in shlex.split(line.partition(" --from")[0])[1:]]
        assert all(catalogue.named(name) for name in names), line


@pytest.mark.parametrize("line", re.findall(r"^musicrec (?!models|publish)(.*)$", PAGE, re.M))
def test_a_command_with_a_name_composes(line: str):
    program, *overrides = shlex.split(line)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(ROOT / "conf")):
        cfg = compose(program, overrides=overrides)
    chosen = next(cfg[key] for key in ("exports", "start_from", "export") if cfg.get(key))
    for name in [chosen] if isinstance(chosen, str) else chosen:
        assert name in catalogue.entries()


def test_the_file_to_carry_over_is_that_of_the_catalogue():
    download = catalogue.entries()["musicnn_msd"].download
    assert f"--no-deps {download.requirement}\n" in PAGE and f"--from {download.file}\n" in PAGE


def test_the_card_of_the_page_is_one(tmp_path):
    (card,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    (tmp_path / "card.json").write_text(card)
    assert read_card(tmp_path / "card.json")["measured"][0]["rows"] == [["A", 170, 170.1]]
