"""Classes by name: a file dropped into one of our packages is found without being listed anywhere."""

import importlib
import inspect
import pkgutil

from musicrec.errors import ConfigError


def find_classes(package: str) -> dict[str, type]:
    """The public classes that the modules of `package`, such as `musicrec.models`, define themselves.

    Modules and classes whose names begin with an underscore are left out, and so are packages within the package and
    what a module merely imports.
    """
    if package.split(".")[0] != "musicrec":  # a name read from an export must never import foreign code
        raise ValueError(f"classes are looked up in musicrec's own packages only, not in {package!r}")
    found = {}
    for module_info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module_info.ispkg or module_info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package}.{module_info.name}")
        for name, member in inspect.getmembers(module, inspect.isclass):
            if member.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = member
    return found


def find_class(package: str, name: str) -> type:
    """The class called `name` among the modules of `package`.

    Raises:
        ConfigError: there is none of that name; the message lists the names there are.
    """
    classes = find_classes(package)
    if name not in classes:
        raise ConfigError(f"{package} has no class {name!r}; there are: {', '.join(sorted(classes))}")
    return classes[name]
