"""Models from the checkpoints of a training."""

from pathlib import Path

import torch

from musicrec.errors import ExportError
from musicrec.export.description import Model, build_from, load_weights
from musicrec.export.folder import read_export


def read_checkpoint(path: str | Path) -> Model:
    """Load the model of a training checkpoint. Code in the file is never executed (PyTorch's weights-only mode).

    Args:
        path: A checkpoint of train.py.

    Returns:
        The model, in eval mode.

    Raises:
        ExportError: There is no such file, or it is not a checkpoint of train.py.
    """
    path = Path(path)
    if path.is_dir():
        raise ExportError(f"{path} is a folder; name a checkpoint of train.py, such as RUN/checkpoints/last.ckpt")
    if not path.is_file():
        raise ExportError(f"{path}: there is no such file; name a checkpoint of train.py")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        description, state = checkpoint["musicrec"], checkpoint["state_dict"]
    except KeyError as error:
        raise ExportError(
            f"{path} is not a checkpoint of train.py: it has no {error}; public weights become an export with "
            "musicrec.import_checkpoint"
        ) from None
    except Exception as error:  # torch raises many types for a broken file, some with unsafe advice
        raise ExportError(
            f"{path} is not a checkpoint of train.py: PyTorch cannot read it as weights and plain types "
            f"({type(error).__name__})"
        ) from None
    network, heads, frontend = build_from(path, description)
    prefix = "network."
    weights = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    load_weights(network, weights, source=path)
    return Model(network=network.eval(), frontend=frontend, heads=heads, config=description, source=path)


def read_model(path: str | Path) -> Model:
    """Load a model from an export folder or a checkpoint file.

    Args:
        path: The folder or the file.

    Returns:
        The model, in eval mode.

    Raises:
        ExportError: There is neither an export nor a checkpoint.
    """
    if not Path(path).exists():
        raise ExportError(f"{path}: there is no such file or folder; give an export folder or a checkpoint of train.py")
    return read_checkpoint(path) if Path(path).is_file() else read_export(path)
