import hashlib
import json
from pathlib import Path

import pytest

from musicrec.errors import ConfigError, ExportError
from musicrec.recommend.exports import ExportRef, check_same, coverage_of, fingerprint, model_names


def test_models_are_named_by_their_folder_or_their_run_and_never_twice():
    folders = ["/p/tempo", "/runs/tempo/export", "/x/tempo-2", "runs/key/export", "/q/tempo/"]
    assert model_names(folders) == ["tempo", "tempo-2", "tempo-2-2", "key", "tempo-3"]


def test_a_library_keeps_its_coverage():
    library = Path("l.sqlite")
    assert coverage_of({"coverage": 0.5}, None, library=library) == 0.5
    assert coverage_of({"coverage": 0.5}, 0.5, library=library) == 0.5
    assert coverage_of({}, None, library=library) == 1.0, "libraries of older formats heard whole tracks"
    with pytest.raises(ConfigError, match=r"coverage=0.3: l\.sqlite was made with coverage=1, .* leave coverage out"):
        coverage_of({}, 0.3, library=library)


def export(folder: Path, *, card: dict, weights: bytes = b"w") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"network": {"width": 8}, "card": card}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_model_whose_card_has_new_figures_is_the_same(tmp_path: Path):
    before, after = export(tmp_path / "a", card={"accuracy": 0.8}), export(tmp_path / "b", card={"accuracy": 0.9})
    assert fingerprint(before) == fingerprint(after) != fingerprint(export(tmp_path / "c", card={}, weights=b"v"))
    parts = [(before / name).read_bytes() for name in ("config.json", "model.safetensors")]
    older = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).hexdigest()
    for remembered in (fingerprint(before), older):
        ref = ExportRef(path=str(before), sha256=remembered, name="a", embedding_size=4)
        (found,) = check_same([ref], [str(before)], library=tmp_path / "l")
        assert found.sha256 == remembered, "the library keeps what it knows the model by"
        assert check_same([ref], [], library=tmp_path / "l") == [ref]
    with pytest.raises(ExportError, match=r"is not what .* was made with"):
        check_same([ref], [str(tmp_path / "c")], library=tmp_path / "l")
    (before / "config.json").write_text("[]")
    with pytest.raises(ExportError, match=r"is not an export: config\.json holds no settings"):
        fingerprint(before)
