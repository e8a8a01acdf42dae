"""What holds for every dataset in musicrec/data/adapters."""

import pkgutil
from importlib import import_module
from pathlib import Path

from musicrec.data import adapters
from musicrec.data.adapters.source import Dataset

ROOT = Path(__file__).parents[3]


def test_every_dataset_has_a_config():
    """Messages lead the user to data=NAME and to docs/datasets.md#NAME."""
    modules = [
        import_module(f"{adapters.__name__}.{module.name}") for module in pkgutil.iter_modules(adapters.__path__)
    ]
    found = [
        (value.name, module.__name__)
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Dataset)
    ]
    missing = []
    for name, module in found:
        file = ROOT / "conf" / "data" / f"{name}.yaml"
        if not file.is_file() or f"_target_: {module}." not in file.read_text():
            missing.append(f"add conf/data/{name}.yaml, whose manifest has a _target_ in {module}")
    assert not missing, "\n".join(missing)
    assert len(found) >= 7
