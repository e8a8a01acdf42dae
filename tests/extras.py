"""The extras that are not in `dev`. Their tests have the marker `extra` and run in an environment of their own."""

from importlib.util import find_spec

# The modules of each that tests import. `make test-extras` installs them (EXTRAS in the Makefile).
MODULES = {
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("openvino",),
    "timm": ("timm", "torchvision"),
    "hf": ("transformers",),
}


def missing(extras: set[str]) -> list[str]:
    """Return those of the extras that are not installed. Nothing is imported.

    Raises:
        KeyError: An extra is not in `MODULES`.
    """
    return sorted(extra for extra in extras if any(find_spec(module) is None for module in MODULES[extra]))
