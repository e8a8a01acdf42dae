"""Classes by name: a file dropped into one of our packages is found without being listed anywhere."""

import ast
import functools
import importlib
import importlib.util
import pkgutil
from pathlib import Path

from musicrec.errors import ConfigError


def class_modules(package: str) -> dict[str, str]:
    """Return which module of a package defines which public class, without importing any of them.

    Modules and classes whose names begin with an underscore are left out. So are packages within the package, and what
    a module merely imports.

    Args:
        package: A package of musicrec, such as "musicrec.models".

    Returns:
        {class: module}, such as {"CRNN": "musicrec.models.crnn"}.

    Raises:
        ValueError: The package is not one of musicrec's.
    """
    if package.split(".")[0] != "musicrec":  # a name read from an export must never import foreign code
        raise ValueError(f"classes are looked up in musicrec's own packages only, not in {package!r}")
    found: dict[str, str] = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module_info.ispkg or module_info.name.startswith("_"):
            continue
        module = f"{package}.{module_info.name}"
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            continue
        file = Path(spec.origin)
        found |= dict.fromkeys(_public_classes(file, file.stat().st_mtime_ns), module)
    return found


@functools.cache
def _public_classes(file: Path, changed_ns: int) -> list[str]:
    """Return the names of the public classes of a file. `changed_ns` is when it was changed."""
    nodes = ast.parse(file.read_bytes()).body
    return [node.name for node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]


def find_classes(package: str) -> dict[str, type]:
    """Return {name: class} of all public classes that the modules of a package define; see `class_modules`."""
    return {name: getattr(importlib.import_module(module), name) for name, module in class_modules(package).items()}


def find_class(package: str, name: str) -> type:
    """Return the class called `name` among the modules of a package. Only the module that defines it is imported.

    Raises:
        ConfigError: There is no class of that name; the message lists the names there are.
    """
    modules = class_modules(package)
    if name not in modules:
        raise ConfigError(f"{package} has no class {name!r}; choose from: {', '.join(sorted(modules))}")
    return getattr(importlib.import_module(modules[name]), name)
