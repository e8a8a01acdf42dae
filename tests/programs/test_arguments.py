"""Names of files and folders on the command line: any character, in every setting, in single runs and sweeps."""

import random
import re
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from musicrec.programs.arguments import quote_paths, spell_out_mixtures
from musicrec.programs.launch import takes_text

ROOT = Path(__file__).parents[2]
NAMES = [
    "plain.mp3",
    "Artist - Title (Extended Mix) [2019], live=yes.mp3",
    "[2019] Album [FLAC]",
    "Don't Stop 'Til.wav",
    'The 12" mix: {a|b}.flac',
    "back\\slash\\.ogg",
    "ends with \\",
    "quote after slash \\'.mp3",
    "00123",
    "2020",
    "1e5",
    "true",
    "null.mp3",
    "lr=0.1",
    "a,b",
    "Part 1, Part 2",
    "[a,b]",
    "Größe – ♯.mp3",
    "~tmp.mp3",
    "-dash",
    " blanks ",
    "${paths.runs}",
    "A$AP ${x",
    "choice(a,b)",
    "new\nline\\\n",
    "not UTF-8 \udcff",
]


def values(argument: str) -> list:
    """The values that an override has: one, or those of a sweep; lists and quotes as Hydra resolves them."""
    override = OverridesParser.create().parse_override(argument)
    read = override.value()
    read = read.list if isinstance(read, ChoiceSweep) else [read]
    read = [one.text if isinstance(one, QuotedString) else one for one in read]
    return OmegaConf.to_container(OmegaConf.create(read), resolve=True)


def prepare(*arguments: str, takes_text: bool = True) -> str:
    return quote_paths(arguments, takes_text=lambda key, others: takes_text)[0]


def make(folder: Path, *names: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for name in names:
        Path(name).mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["", "lr=0.1/(x), "])
@pytest.mark.parametrize("multirun", [[], ["-m"]], ids=["single", "-m"])
def test_an_existing_file_or_folder_can_have_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str, multirun: list[str]
):
    path = folder + name
    make(tmp_path, path, "other (1)", monkeypatch=monkeypatch)
    there = f"./{path}" if path.startswith("~") else path
    assert values(prepare(f"export={path}", *multirun)) == [there]
    assert values(prepare(f"+a.b@c={tmp_path}/{path}", *multirun)) == [f"{tmp_path}/{path}"]
    assert values(prepare(f"export=[{path},other (1)]", *multirun)) == [[there, "other (1)"]]
    if multirun:
        assert values(prepare(f"export={path},other (1),new", *multirun)) == [there, "other (1)", "new"]


def test_random_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, monkeypatch=monkeypatch)
    generator = random.Random(0)
    parts = [*"abc019 _-.,=()[]{}'\"\\$~:;!?&%#@+*|<>^`äß♯\t\n", "${", "${a}", "true", "1e5", "null", "\udcff"]
    tried = 0
    while tried < 150:
        name = "".join(generator.choices(parts, k=generator.randint(1, 12)))
        quoted = len(name) > 1 and name[0] == name[-1] and name[0] in "'\""
        if quoted or name in (".", "..", "null", "~"):
            continue
        tried += 1
        Path(name).mkdir()
        names = (name, f"./{name}")
        assert values(prepare(f"k={name}"))[0] in names and values(prepare(f"k={name}", "-m"))[0] in names, name
        assert values(prepare(f"k=[x,{name}]"))[0][1] in names and values(prepare(f"k=x,{name}", "-m"))[1] in names, (
            name
        )
        Path(name).rmdir()


@pytest.mark.parametrize(
    "name",
    [
        "runs/lr=0.1/export",
        "/My music (2020), a=b [x]",
        "Artist - Title, Part 1",
        "runs/a,b",
        "/it's/{x}",
        "/Größe",
        "a b",
        "[2019] x [y]",
        "A$AP ${x",
    ],
)
def test_a_name_that_does_not_exist_yet(name: str):
    assert values(prepare(f"hydra.run.dir={name}")) == [name]


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    make(tmp_path, monkeypatch=monkeypatch)
    monkeypatch.setenv("HOME", "/home/me (1)")
    assert values(prepare("source=~/Music")) == ["/home/me (1)/Music"]
    assert values(prepare("exports=[~/a,b]")) == [["/home/me (1)/a", "b"]]
    assert values(prepare("query=~no user.mp3")) == ["./~no user.mp3"]


def test_an_interpolation_beside_awkward_text():
    override = OverridesParser.create().parse_override(prepare("library=${a}/My library (1).sqlite"))
    assert OmegaConf.create({"a": "runs", "library": override.value()}).library == "runs/My library (1).sqlite"


@pytest.mark.parametrize(
    "argument",
    [
        *["k=3", "query='a (b)'", 'query="a, b"', "source=null", "exports=[a,b]", "query=", "library=${paths.runs}/l"],
        *["optim.lr=1e-4", "figures=true", "data.root=/data/MTAT-1.0/", "x={a: 1, b: [c]}", "seed=range(1,3)"],
        *[
            "exports=['/a, b/c',/d]",
            "weights={tempo: 1}",
            "--config-dir=a (b)",
            "a\\,b",
            "x=a\\,b",
            "~task",
            "x=[[a],[b]]",
        ],
        *["seed=0,1", "model=crnn,short_chunk_resnet", "export=best:A,best:B"],
    ],
)
def test_what_hydra_understands_stays(argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    make(tmp_path, "0", "1", "3", "1e-4", "true", monkeypatch=monkeypatch)
    assert prepare(argument, takes_text=False) == argument
    assert quote_paths(["-m", argument]) == ["-m", argument]


def test_existing_paths_without_brackets_are_left_to_the_message_of_hydra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make(tmp_path, "A/export", "B/export", monkeypatch=monkeypatch)
    assert prepare("export=A/export,B/export") == "export=A/export,B/export"
    make(tmp_path, "lr=0.1, [a]/export", monkeypatch=monkeypatch)
    override = read(prepare("export=lr=0.1, [a]/export,B/export"))
    assert override and override.is_sweep_override()


def test_the_value_of_an_option_of_hydra_is_no_setting():
    assert quote_paths(["--config-dir", "lr=0.1 (x)", "k=0.1 (x)"]) == ["--config-dir", "lr=0.1 (x)", "k='0.1 (x)'"]


def read(override: str) -> Override | None:
    """What Hydra reads; None if it cannot."""
    try:
        return OverridesParser.create().parse_override(override)
    except HydraException:
        return None


@pytest.mark.slow
def test_overrides_of_documents_and_tests_mean_what_they_meant():
    words, folders = set(), ("docs", "conf", "experiments")
    documents = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".md", ".yaml")]
    for path in [ROOT / "README.md", *documents]:
        for command in re.findall(r"(?:python \w+\.py|musicrec \w+) (.*?)(?:   .*|`.*)?$", path.read_text(), re.M):
            words |= set(re.findall(r"(?<=[ '])[+~\w][\w./@-]*=[^ ']+", f" {command}"))
    for path in (ROOT / "tests").rglob("*.py"):
        words |= set(re.findall(r"[\"']([+~]*[\w./@-]+=[^\"'\n]*)[\"']", path.read_text()))
    meant = {word: override for word in words if (override := read(word))}
    for word, override in meant.items():
        assert repr(read(quote_paths(["-m", word])[1])) == repr(override)
        if not override.is_sweep_override():
            assert repr(read(quote_paths([word])[0])) == repr(override)
    assert len(meant) > 300


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("train", "data.root", True),
        ("train", "start_from", True),
        ("train", "paths.cache", True),
        ("train", "seed", False),
        ("train", "optim.lr", False),
        ("train", "figures", False),
        ("train", "data.max_tracks", False),
        ("train", "trainer.limit_train_batches", False),
        ("train", "trainer.devices", False),
        ("train", "model.no_such_setting", False),
        ("train", "model", False),
        ("evaluate", "export", True),
        ("evaluate", "runs", True),
        ("evaluate", "data.workers", False),
        ("robustness", "recommender.library", True),
        ("robustness", "tracks", False),
        ("robustness", "measurement.excerpt_s", False),
        ("recommend", "query", True),
        ("recommend", "exports", True),
        ("recommend", "max_files", False),
        ("recommend", "weights.tempo", False),
    ],
)
def test_which_settings_take_text(name: str, key: str, text: bool):
    assert takes_text(name, key, ["data=folder"] if key == "data.root" else []) == text


def test_other_arguments_than_mixtures_are_not_spelled_out():
    assert spell_out_mixtures(["data=synthetic", "task=[genre,key]"]) == ["data=synthetic", "task=[genre,key]"]
