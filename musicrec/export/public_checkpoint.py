"""Read checkpoints of github.com/minzwon/sota-music-tagging-models and translate the names of their tensors.

Two spellings of the same networks exist. Messages use the names of the original repository; the other spelling is
translated to these first:

    original                          also
    spec.*, spec_bn                   mel_spectrogram.*, the batch normalisation of one channel
    layer1.conv, layer1.bn            conv_block1.conv, conv_block1.batch_norm
    layer1.conv_1, layer1.bn_1        layer1.conv1, layer1.batch_norm1
    layer5 (of the CRNN)              gru
    dense                             fc, linear
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from musicrec.errors import ExportError
from musicrec.export.public_names import ARCHITECTURES, HEAD, checked_architecture, original_name, settings_of
from musicrec.models.frontends.mel import MelSpectrogram

OTHER_SPELLING = {
    r"^(?:conv_|res_|residual_)?block(\d+)\.": r"layer\1.",
    r"^(layer\d+)\.conv(\d)\.": r"\1.conv_\2.",
    r"^(layer\d+)\.batch_norm(\d)\.": r"\1.bn_\2.",
    r"^(layer\d+)\.batch_norm\.": r"\1.bn.",
    r"^gru\.": "layer5.",
    r"^(?:fc|linear)(\d?)\.": r"dense\1.",
    r"^batch_norm\.": "bn.",
}
FRONT_END = re.compile(r"^(spec|mel_spectrogram|to_db|hstft\.spec|hstft\.amplitude_to_db)\.")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read tensors by name from a checkpoint file. Code in the file is never executed.

    Args:
        path: The checkpoint.

    Returns:
        The tensors by name.

    Raises:
        ExportError: There is no such file, it is not a PyTorch checkpoint, or it holds more than tensors.
    """
    advice = "give a file written by torch.save(network.state_dict(), path)"
    content = load_without_code(path, advice=advice)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]  # training frameworks wrap it so
    if not (isinstance(content, dict) and content and all(_is_weight(*item) for item in content.items())):
        raise ExportError(f"{path}: it holds no state dict (tensors by name); {advice}")
    broken = [name for name, value in content.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ExportError(f"{path}: {_enumerate(set(broken))} with NaN or infinity, so its answers would be NaN, too")
    return dict(content)


def _is_weight(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided


class _Ignored:
    """Stands for a value that is not needed, whatever it is built from."""

    def __init__(self, *parts: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def load_without_code(path: str | Path, *, advice: str, ignored: Sequence[str] = ()) -> Any:
    """Read a file that `torch.save` wrote. Code in it is never executed.

    Args:
        path: The file.
        advice: What to do if the file cannot be read, for the message.
        ignored: Full names of classes and functions in it whose values are not needed. They are not called: a
            placeholder stands for what they would give.

    Returns:
        What the file holds: tensors, numbers, text, lists and dictionaries of them.

    Raises:
        ExportError: There is no such file, it is not a PyTorch checkpoint, or it would run code.
    """
    path = Path(path)
    if not path.is_file():
        raise ExportError(f"{path}: no such file; {advice}")
    try:
        with warnings.catch_warnings():  # about the version of the pickle, for files that are refused anyway
            warnings.simplefilter("ignore")
            with torch.serialization.safe_globals([(_Ignored, name) for name in ignored]):
                return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler can raise nearly anything
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            reason = f"it would run code on loading ({code[1]}), which is refused"
        else:
            reason = "it is not a PyTorch checkpoint, or is cut off"
        raise ExportError(f"{path}: {reason}; {advice}") from error


def translate_state_dict(
    state_dict: dict[str, Tensor], *, architecture: str, source: str | Path = "the checkpoint"
) -> tuple[dict[str, Tensor], dict]:
    """Translate a public state dict to our names. Its head is called `tags`.

    Args:
        state_dict: Tensors by name, in either spelling.
        architecture: One of `ARCHITECTURES`, or what the original repository calls it (`MODEL_TYPES`).
        source: Name of the state dict in messages, such as the path of the file.

    Returns:
        The weights, and the settings of the network that loads them, `ARCHITECTURES[architecture](**settings)`. Among
        the settings is `outputs`, {"tags": number of classes}.

    Raises:
        ConfigError: There is no such architecture.
        ExportError: The checkpoint is of another architecture. The message names missing and surplus keys.
    """
    architecture = checked_architecture(architecture)
    cls = ARCHITECTURES[architecture]
    weights, front_end = _original_spelling(state_dict)
    with torch.device("meta"):
        usual = cls({HEAD: 1}).state_dict()
    ours = {original_name(key, architecture): key for key in usual}
    for key in ours:
        if key.endswith(".num_batches_tracked"):  # missing from old checkpoints, and without effect here
            weights.setdefault(key, torch.tensor(0))
    missing, surplus = ours.keys() - weights.keys(), weights.keys() - ours.keys()
    if missing or surplus:
        raise ExportError(
            f"{source}: not the {architecture} of sota-music-tagging-models; "
            + "; ".join(
                f"{what} {_enumerate(keys)}" for what, keys in (("missing", missing), ("surplus", surplus)) if keys
            )
        )

    other_kinds = [key for key in ours if weights[key].ndim != usual[ours[key]].ndim]
    if other_kinds:
        raise ExportError(
            f"{source}: not the {architecture} of sota-music-tagging-models; {other_kinds[0]} has "
            f"{weights[other_kinds[0]].ndim} dimensions in place of {usual[ours[other_kinds[0]]].ndim}"
        )
    settings = settings_of(weights, architecture, _mel_bands(front_end, source))
    translated = {ours[key]: value for key, value in weights.items()}
    with torch.device("meta"):
        expected = cls(**settings).state_dict()
    misfits = [
        f"{key} is {tuple(weights[key].shape)} where {tuple(expected[ours[key]].shape)} is expected"
        for key in ours
        if weights[key].shape != expected[ours[key]].shape
    ]
    if misfits:
        more = f", and {len(misfits) - 1} more" if misfits[1:] else ""
        raise ExportError(f"{source}: not the {architecture} of sota-music-tagging-models; {misfits[0]}{more}")
    return {key: translated[key] for key in expected}, settings


def _original_spelling(state_dict: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Split a state dict into weights, under the original repository's names, and constants of its front end."""
    first_parts = {key.split(".")[0] for key in state_dict}
    if len(first_parts) == 1:  # a wrapper's prefix, `module.` or `model.`
        state_dict = {key.partition(".")[2]: value for key, value in state_dict.items()}
    weights = {}
    for key, value in state_dict.items():
        for pattern, replacement in OTHER_SPELLING.items():
            key = re.sub(pattern, replacement, key)
        weights[key] = value
    for key, value in list(weights.items()):
        module = key.removesuffix(".running_mean")
        if module != key and value.shape == (1,) and not module.startswith("layer"):  # only the input has one channel
            weights = {
                f"spec_bn.{name.removeprefix(module + '.')}" if name.startswith(module + ".") else name: tensor
                for name, tensor in weights.items()
            }
    front_end = {key: weights.pop(key) for key in list(weights) if FRONT_END.match(key)}
    return weights, front_end


def _mel_bands(front_end: dict[str, Tensor], source: str | Path) -> int | None:
    """Return the number of bands of the mel filter bank in a checkpoint; None if it has none."""
    for key, value in front_end.items():
        if key.endswith(("mel_scale.fb", "mel_basis")) and value.ndim == 2:
            filters = value.T if key.endswith("fb") else value  # torchaudio: (bins, bands); nnAudio: (bands, bins)
            ours = MelSpectrogram(n_mels=len(filters)).mel.mel_basis
            if filters.shape != ours.shape or not torch.allclose(filters.float(), ours, atol=1e-3):
                warnings.warn(
                    f"{source}: {key} is not the published mel filter bank (HTK, 0 to 8000 Hz, {ours.shape[1]} bins); "
                    "the network will get another input than it was trained on",
                    stacklevel=3,
                )
            return len(filters)
    return None


def _enumerate(keys: set[str], most: int = 4) -> str:
    shown = ", ".join(sorted(keys)[:most])
    return f"{len(keys)} key{'s' if len(keys) > 1 else ''} ({shown}{', …' if len(keys) > most else ''})"
