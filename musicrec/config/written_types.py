"""Read the annotations of a class from its source, without importing it.

Importing the classes of a training config takes seconds, because they import PyTorch and Lightning. Reading their
source takes milliseconds, so most mistakes in a command are found before anything is imported.
"""

import ast
import sys
from pathlib import Path
from types import ModuleType
from typing import Optional, Union

from musicrec.config import number_types

# The names that an annotation of plain types is made of.
_TYPES: dict[str, object] = {
    name: value for name, value in vars(number_types).items() if not name.startswith("_") and name[0].isupper()
} | {"int": int, "float": float, "bool": bool, "str": str}


def written_annotations(target: str) -> dict[str, object]:
    """Read the annotations of a class or function that consist of plain types and the names of `number_types`.

    Args:
        target: The full name, such as "musicrec.models.crnn.CRNN". A module may import the class from another one.

    Returns:
        Annotations by parameter. Parameters with other annotations are left out. Empty if the source was not found, or
        if the constructor is inherited.
    """
    module, _, name = target.rpartition(".")
    source = _source_file(module)
    if source is None:
        return {}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return _annotations(node)
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return written_annotations(f"{node.module}.{alias.name}")
    return {}


def _source_file(module: str) -> Path | None:
    """Find the source of a module. `importlib.util.find_spec` would import the packages that it is in."""
    folders = None
    spec = None
    parts = module.split(".")
    for depth in range(len(parts)):
        name = ".".join(parts[: depth + 1])
        loaded: ModuleType | None = sys.modules.get(name)
        specs = (finder.find_spec(name, folders) for finder in sys.meta_path)
        spec = loaded.__spec__ if loaded else next((found for found in specs if found), None)
        if spec is None:
            return None
        folders = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _annotations(node: ast.ClassDef | ast.FunctionDef) -> dict[str, object]:
    """Return the annotations of a function's parameters, or of a class's `__init__` or dataclass fields."""
    pairs: list[tuple[str, ast.expr | None]] = []
    if isinstance(node, ast.FunctionDef):
        pairs = [(argument.arg, argument.annotation) for argument in (*node.args.args, *node.args.kwonlyargs)]
    elif any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        fields = [line for line in node.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
        pairs = [(ast.unparse(field.target), field.annotation) for field in fields]
    else:
        for line in node.body:
            if isinstance(line, ast.FunctionDef) and line.name == "__init__":
                return _annotations(line)
    found = {}
    for name, annotation in pairs:
        try:
            found[name] = _type(annotation)
        except KeyError:
            continue
    return found


def _type(annotation: ast.expr | None) -> object:
    """Build a type from its source. Raises KeyError if it is not a plain one."""
    match annotation:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name):
            return _TYPES[name]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[_type(left), _type(right)]  # noqa: UP007  of values
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return Optional[_type(inner)]  # noqa: UP045  of a value
        case ast.Subscript(value=ast.Name(id="Union"), slice=ast.Tuple(elts=parts)):
            return Union[tuple(_type(part) for part in parts)]  # noqa: UP007  of values
    raise KeyError(ast.unparse(annotation) if annotation else "no annotation")
