"""Turn public checkpoints of sota-music-tagging-models into exports."""

from collections.abc import Sequence
from pathlib import Path

from musicrec.errors import ConfigError
from musicrec.export.folder import write_export
from musicrec.export.public_checkpoint import read_state_dict, translate_state_dict
from musicrec.export.public_names import ARCHITECTURES, HEAD, checked_architecture, front_end
from musicrec.heads.tags import TagHead


def import_checkpoint(
    weights: str | Path,
    *,
    architecture: str,
    classes: Sequence[str],
    out: str | Path,
    licence: str = "see the source of the weights",
    head: str = HEAD,
) -> Path:
    """Turn a state dict of sota-music-tagging-models into an export folder with one head.

    Args:
        weights: A .pth file. Code in it is never executed (PyTorch's weights-only mode).
        architecture: One of `ARCHITECTURES`, or what the original repository calls it, such as "short_res".
        classes: Names of the outputs, in their order.
        out: The export folder to write.
        licence: Licence of the weights, for the model card.
        head: Name of the head.

    Returns:
        The export folder.

    Raises:
        ExportError: The file does not hold such weights.
        ConfigError: The architecture is unknown, or the number of names is wrong.
    """
    architecture = checked_architecture(architecture)
    if isinstance(classes, str) or len(set(classes)) != len(classes):
        raise ConfigError("classes must be a list of distinct names, one per output")
    state, settings = translate_state_dict(read_state_dict(weights), architecture=architecture, source=str(weights))
    outputs = settings["outputs"][HEAD]
    if len(classes) != outputs:
        raise ConfigError(f"{weights} has {outputs} outputs, but {len(classes)} class names were given")
    network = ARCHITECTURES[architecture](**settings | {"outputs": {head: outputs}})
    network.load_state_dict(
        {name.replace(f"classifier.linears.{HEAD}.", f"classifier.linears.{head}."): state[name] for name in state}
    )
    return write_export(
        out,
        network=network,
        heads=[TagHead(name=head, classes=tuple(classes))],
        frontend=front_end(architecture, network),
        metrics={},
        data={"weights": Path(weights).name, "origin": "sota-music-tagging-models"},
        licence=licence,
    )
