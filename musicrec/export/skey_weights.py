"""Turn the public weights of S-KEY (github.com/deezer/skey) into an export."""

from pathlib import Path

from torch import Tensor

from musicrec.errors import ExportError
from musicrec.export.folder import write_export
from musicrec.export.public_checkpoint import load_without_code
from musicrec.heads.key import KeyHead
from musicrec.models.frontends.constant_q import ConstantQSpectrogram
from musicrec.models.skey import SKey

# The original names of the modules, and ours.
_NAMES = {
    "time_downsampling_blocks": "halvings",
    "convnext_blocks": "blocks",
    "dwconv": "spread",
    "pwconv1": "expand",
    "pwconv2": "reduce",
    "gamma": "scale",
    "classifier": "key",
    "batch_norm": "key_norm",
}
_PREFIX = "chromanet."
# The original code hears a track in one piece. Chunks of 30 s give the answers that are nearest to its own. Those of
# 15 s, as in training, agree less often with Essentia (experiments/pretrained/README.md).
CHUNK_SAMPLES = 30 * 16_000
_ADVICE = "give the file skey.pt from github.com/deezer/skey"
# The file also has the settings of the optimiser, which are numbers of NumPy. They are not needed.
_NUMPY = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "_codecs.encode")


def import_skey(weights: str | Path, *, out: str | Path, licence: str = "see the source of the weights") -> Path:
    """Turn the weights file of S-KEY into an export folder with the head `key`.

    Args:
        weights: The file skey.pt. Code in it is never executed (PyTorch's weights-only mode).
        out: The export folder to write.
        licence: Licence of the weights, for the model card.

    Returns:
        The export folder.

    Raises:
        ExportError: The file does not hold these weights.
    """
    state = _read(Path(weights))
    network = SKey({"key": 24}, chunk_samples=CHUNK_SAMPLES)
    expected = network.state_dict()
    differing = [
        name for name in expected.keys() | state.keys()
        if name not in state or name not in expected or state[name].shape != expected[name].shape
    ]  # fmt: skip
    if differing:
        raise ExportError(
            f"{weights}: not the weights of S-KEY; {len(differing)} tensors differ, such as {min(differing)}; {_ADVICE}"
        )
    network.load_state_dict(state)
    return write_export(
        out,
        network=network,
        heads=[KeyHead()],
        frontend=ConstantQSpectrogram(n_mels=network.n_mels),
        metrics={},
        data={"weights": Path(weights).name, "origin": "deezer/skey"},
        licence=licence,
    )


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the network by our names."""
    content = load_without_code(path, advice=_ADVICE, ignored=_NUMPY)
    tensors = content.get("stone") if isinstance(content, dict) else None
    if not (isinstance(tensors, dict) and all(isinstance(value, Tensor) for value in tensors.values())):
        raise ExportError(f"{path}: it holds no weights of S-KEY (tensors by name below `stone`); {_ADVICE}")
    tensors = {name.removeprefix(_PREFIX): value for name, value in tensors.items() if name.startswith(_PREFIX)}
    renamed = {".".join(_NAMES.get(part, part) for part in name.split(".")): value for name, value in tensors.items()}
    # The last layer was a convolution over single places of a picture; here, it is one over pitch classes.
    return {name: value.squeeze(-1) if name == "key.weight" and value.ndim == 4 else value
            for name, value in renamed.items()}  # fmt: skip
