"""Turn the public weights of MusiCNN, as they lie in the wheel `musicnn` 0.1.0, into exports."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from torch import Tensor

from musicrec.errors import ConfigError, ExportError
from musicrec.export.folder import write_export
from musicrec.export.tensor_bundle import read_tensor_bundle
from musicrec.heads.tags import TagHead
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN

LICENCE = "ISC, copyright (c) 2019 Music Technology Group, Universitat Pompeu Fabra; by Jordi Pons"
USUAL = Path(__file__).with_name("musicnn_usual.yaml")
_LARGEST = 64 * 2**20  # bytes of one file in the wheel; the checkpoints have 9.5 million


class _Variant(NamedTuple):
    """One of the trained networks.

    Attributes:
        folder: Its folder in the wheel.
        trained_on: The training data.
        roc_auc: The published figure on the test set of that data.
        pr_auc: The published figure on the test set of that data.
        classes: Names of the outputs, in their order.
    """

    folder: str
    trained_on: str
    roc_auc: float
    pr_auc: float
    classes: tuple[str, ...]


_MTT_TAGS = """
guitar, classical, slow, techno, strings, drums, electronic, rock, fast, piano, ambient, beat, violin, vocal, synth,
female, indian, opera, male, singing, vocals, no vocals, harpsichord, loud, quiet, flute, woman, male vocal, no vocal,
pop, soft, sitar, solo, man, classic, choir, voice, new age, dance, male voice, female vocal, beats, harp, cello,
no voice, weird, country, metal, female voice, choral
"""
_MSD_TAGS = """
rock, pop, alternative, indie, electronic, female vocalists, dance, 00s, alternative rock, jazz, beautiful, metal,
chillout, male vocalists, classic rock, soul, indie rock, Mellow, electronica, 80s, folk, 90s, chill, instrumental,
punk, oldies, blues, hard rock, ambient, acoustic, experimental, female vocalist, guitar, Hip-Hop, 70s, party, country,
easy listening, sexy, catchy, funk, electro, heavy metal, Progressive rock, 60s, rnb, indie pop, sad, House, happy
"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


VARIANTS = {
    "mtt": _Variant(
        folder="musicnn/MTT_musicnn",
        trained_on="MagnaTagATune, about 19,000 clips",
        roc_auc=0.907,
        pr_auc=0.383,
        classes=_names(_MTT_TAGS),
    ),
    "msd": _Variant(
        folder="musicnn/MSD_musicnn",
        trained_on="Million Song Dataset, about 200,000 songs",
        roc_auc=0.880,
        pr_auc=0.289,
        classes=_names(_MSD_TAGS),
    ),
}


def import_musicnn(wheel: str | Path, out: str | Path, which: str) -> Path:
    """Turn the weights in the wheel of `musicnn` 0.1.0 into an export folder. Nothing in the wheel is executed.

    Args:
        wheel: The wheel file.
        out: The export folder to write.
        which: "mtt" for the network trained on MagnaTagATune, whose head is called `tags_mtt`; "msd" for that of the
            Million Song Dataset, `tags_msd`. The names of the exports, "musicnn_mtt" and "musicnn_msd", do as well.

    Returns:
        The export folder.

    Raises:
        ExportError: The file is not that wheel, or damaged.
        ConfigError: There is no such network.
    """
    name = which.removeprefix("musicnn_")
    if name not in VARIANTS:
        raise ConfigError(f"which={which!r}: choose {' or '.join(VARIANTS)}")
    variant, wheel = VARIANTS[name], Path(wheel)
    index, data = _read(wheel, f"{variant.folder}/.index", f"{variant.folder}/.data-00000-of-00001")
    source = f"{wheel}: {variant.folder}"
    variables = read_tensor_bundle(index, data, source=source, skip=lambda variable: "Adam" in variable)
    head = f"tags_{name}"
    network = MusiCNN({head: len(variant.classes)})
    frontend = MelSpectrogram(
        n_mels=network.n_mels, mel_scale="slaney", mel_norm="slaney", compression="log", padding="zeros"
    )
    network.load_state_dict(_translate(variables, network, head=head, source=source))
    return write_export(
        out,
        network=network,
        heads=[TagHead(name=head, classes=variant.classes, usual=_usual(head, variant.classes))],
        frontend=frontend,
        metrics={"published": {f"{head}/roc_auc": variant.roc_auc, f"{head}/pr_auc": variant.pr_auc}},
        data={
            "trained_on": variant.trained_on,
            "origin": "musicnn 0.1.0, github.com/jordipons/musicnn (Pons and Serra 2019)",
            "weights": f"{variant.folder} in {wheel.name}",
        },
        licence=LICENCE,
    )


def _usual(head: str, classes: Sequence[str]) -> tuple[float, ...]:
    """Return the mean probability of each tag over real music (experiments/usual_tags), as the networks answer."""
    measured = yaml.safe_load(USUAL.read_text(encoding="utf-8"))[head]
    return tuple(float(measured[name]) for name in classes)


def _read(wheel: Path, *names: str) -> list[bytes]:
    """Read files of a wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                if archive.getinfo(name).file_size > _LARGEST:
                    raise ExportError(f"{wheel}: {name} is larger than {_LARGEST // 2**20} MiB; fetch the file again")
            return [archive.read(name) for name in names]
    except FileNotFoundError:
        raise ExportError(f"{wheel}: no such file; give the wheel of musicnn 0.1.0") from None
    except KeyError as error:
        raise ExportError(f"{wheel}: not the wheel of musicnn 0.1.0: {error.args[0]}") from None
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise ExportError(f"{wheel}: not a wheel, or damaged ({error}); fetch the file again") from None


def _translate(variables: dict[str, np.ndarray], network: MusiCNN, *, head: str, source: str) -> dict[str, Tensor]:
    """Translate TensorFlow's variables to the state dict of the network.

    TensorFlow's kernels are (time, frequency, in, out), PyTorch's (out, in, frequency, time).
    """
    layers = {f"branches.{number}.conv": _numbered("conv2d", number) for number in range(5)}
    layers |= {f"middle.{number}.conv": _numbered("conv2d", 5 + number) for number in range(3)}
    layers |= {"hidden": "dense", f"classifier.linears.{head}": "dense_1"}
    norms = ["input_norm", *(f"branches.{number}.norm" for number in range(5))]
    norms += [*(f"middle.{number}.norm" for number in range(3)), "pooled_norm", "hidden_norm"]
    names = {f"{ours}.{leaf}": f"{theirs}/{their_leaf}" for ours, theirs in layers.items()
             for leaf, their_leaf in (("weight", "kernel"), ("bias", "bias"))}  # fmt: skip
    leaves = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    names |= {f"{ours}.{leaf}": f"{_numbered('batch_normalization', number)}/{theirs}"
              for number, ours in enumerate(norms) for leaf, theirs in leaves.items()}  # fmt: skip
    missing = sorted(set(names.values()) - variables.keys())
    if missing:
        raise ExportError(f"{source}: not the weights of MusiCNN: {missing[0]} is missing")
    state = network.state_dict()
    for ours, theirs in names.items():
        value = torch.from_numpy(variables[theirs])
        if theirs.endswith("/kernel"):
            value = value.permute(*reversed(range(value.ndim)))
            if value.ndim == 4 and ours.startswith("middle."):  # over all channels: (out, 1, channels, time)
                value = value.squeeze(1)
        if value.shape != state[ours].shape:
            raise ExportError(
                f"{source}: not the weights of MusiCNN: {theirs} is {tuple(variables[theirs].shape)}, which does not "
                f"fit {tuple(state[ours].shape)}"
            )
        state[ours] = value.contiguous()
    return state


def _numbered(name: str, number: int) -> str:
    """Return TensorFlow's name of the layer with a number; the first one has none."""
    return f"{name}_{number}" if number else name
