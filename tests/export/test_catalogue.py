"""Models by name: which folder a name stands for, and what the default set is."""

from pathlib import Path

import pytest

from musicrec.errors import ExportError
from musicrec.export import catalogue

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of fetched models; that of the shipped ones is beside it. Both are empty."""
    monkeypatch.setattr(catalogue, "SHIPPED", tmp_path / "pretrained")
    monkeypatch.setenv("MUSICREC_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "models"


def put(folder: Path) -> Path:
    """Make a folder that looks like an export."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def test_names_of_shipped_and_fetched_models(folders: Path):
    shipped, fetched = put(catalogue.SHIPPED / "tempo"), put(folders / "musicnn_msd")
    assert catalogue.resolve("tempo") == shipped
    assert catalogue.resolve("musicnn_msd") == fetched


def test_an_export_folder_wins_over_a_name_and_another_folder_does_not(tmp_path: Path):
    shipped = put(catalogue.SHIPPED / "tempo")
    (tmp_path / "tempo").mkdir()
    assert catalogue.resolve("tempo") == shipped
    (tmp_path / "tempo" / "config.json").write_text("{}")
    assert catalogue.resolve("tempo") == Path("tempo")


def test_other_paths_are_returned_unchanged(tmp_path: Path):
    (tmp_path / "best.ckpt").touch()
    for path in ("runs/x/export", "~/export", "best.ckpt", "/nowhere/tempo", "./tempo"):
        assert str(catalogue.resolve(path)) == str(Path(path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("temp", r"temp: there is no such file or folder, and no model has this name; did you mean tempo\? the models "
                 r"are tempo, key, beats, musicnn_mtt, musicnn_msd, mtat_crnn, skey"),
        ("Musicnn_MSD", "did you mean musicnn_msd"),
        ("zzz", "no model has this name; the models are tempo, key"),
        ("musicnn_mtt", r"has not been fetched; run `musicrec models get musicnn_mtt` \(29 MB, ISC licence\)"),
        ("musicnn", "makes several models; name musicnn_mtt or musicnn_msd"),
        ("key", "ships with musicrec, but .*pretrained/key is missing; install musicrec again"),
    ],
)  # fmt: skip
def test_a_name_without_a_model_gets_the_way_out(name: str, message: str):
    with pytest.raises(ExportError, match=message):
        catalogue.resolve(name)


def test_the_default_set_is_what_ships_then_what_was_fetched(folders: Path):
    assert catalogue.default_models() == []
    for name in ("mtat_crnn", "musicnn_msd"):
        put(folders / name)
    for name in ("key", "beats", "tempo"):
        put(catalogue.SHIPPED / name)
    assert catalogue.default_models() == ["tempo", "key", "beats", "musicnn_msd", "mtat_crnn"]
    assert catalogue.default_remarks() == []
    put(folders / "musicnn_mtt")
    assert catalogue.default_models() == ["tempo", "key", "beats", "musicnn_mtt", "musicnn_msd"]
    assert catalogue.default_remarks() == ["mtat_crnn is not used: musicnn_mtt answers the same; choose with --models"]


def test_the_folder_of_models_follows_the_platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert catalogue.models_folder() == tmp_path / "models"
    monkeypatch.setenv("MUSICREC_MODELS", "~/mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert catalogue.models_folder() == tmp_path / "mine"
    monkeypatch.delenv("MUSICREC_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert catalogue.models_folder() == tmp_path / "cache" / "musicrec" / "models"


def test_a_name_stands_for_the_models_of_a_download():
    assert [entry.name for entry in catalogue.named("musicnn")] == ["musicnn_mtt", "musicnn_msd"]
    assert [entry.name for entry in catalogue.named("musicnn_msd")] == ["musicnn_msd"]
    with pytest.raises(ExportError, match="musicn: no model has this name; did you mean musicnn or musicnn_m"):
        catalogue.named("musicn")


def test_the_tags_of_the_public_crnn_are_those_of_the_documents():
    listed = (ROOT / "docs" / "magnatagatune_top50.txt").read_text().split("\n")
    assert catalogue.entries()["mtat_crnn"].settings["classes"] == [tag for tag in listed if tag]


def test_every_download_has_a_checksum_and_one_place_to_fetch_it_from():
    downloads = {entry.download.name: entry.download for entry in catalogue.entries().values() if entry.download}
    assert len(downloads) == 3
    for download in downloads.values():
        assert len(bytes.fromhex(download.sha256)) == 32 and download.bytes > 0
        assert (download.url is None) != (download.requirement is None)
        assert not download.url or download.url.startswith("https://")
        assert not download.requirement or "==" in download.requirement
