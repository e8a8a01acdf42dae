"""Whether the packages of the extras `onnx` and `openvino` are installed."""

import importlib.util

from musicrec.errors import ExportError

_PACKAGES = {"onnx": ("onnxruntime", "onnx"), "openvino": ("openvino",)}  # by extra


def is_installed(extra: str) -> bool:
    """Return whether an extra, "onnx" or "openvino", is installed. Nothing is imported."""
    return not _missing(extra)


def require(extra: str, *, what: str, otherwise: str) -> None:
    """Check that an extra is installed.

    Args:
        extra: "onnx" or "openvino".
        what: What needs it, with the key or option that asks for it, such as "engine=onnx".
        otherwise: What to do without it, such as "choose engine=torch".

    Raises:
        ExportError: It is not. The message says how to install it.
    """
    missing = _missing(extra)
    if missing:
        raise ExportError(
            f"{what} needs the package {missing[0]}, which is not installed; run `pip install 'musicrec[{extra}]'`, "
            f"or {otherwise}"
        )


def _missing(extra: str) -> list[str]:
    return [package for package in _PACKAGES[extra] if importlib.util.find_spec(package) is None]
