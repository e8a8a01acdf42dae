"""An export, or a model with a name, as an encoder for probes."""

from musicrec.config.number_types import Count
from musicrec.errors import ConfigError
from musicrec.export import catalogue
from musicrec.export.description import Model
from musicrec.export.folder import read_export
from musicrec.models.encoders import AudioEncoder, build_encoder


def exported_encoder(*, model: str, chunk_samples: Count | None = None) -> AudioEncoder:
    """Return the network of an export without its answers.

    Args:
        model: An export folder, or the name of a model (`musicrec models` lists them).
        chunk_samples: Length of the chunks that it hears, in samples; None for the length that it was trained with.

    Raises:
        ExportError: There is no such export, or the model has not been fetched.
        ConfigError: The export hears no audio.
    """
    found = read_export(catalogue.resolve(model))
    if not found.hears_audio:
        raise ConfigError(
            f"encoder.model={model}: is a probe on a table of embeddings, which hears no audio; take the table itself: "
            "encoder=table encoder.path=TABLE"
        )
    encoder = AudioEncoder(
        network=found.network,  # type: ignore[arg-type]  # every network is a Module
        frontend=found.frontend,
        outputs={head.name: len(head.classes) for head in found.heads},
        about={"model": model, "licence": found.config.get("licence", "unspecified")},
    )
    if chunk_samples in (None, encoder.chunk_samples):
        return encoder
    description = encoder.description
    network = build_encoder(description | {"settings": description["settings"] | {"chunk_samples": chunk_samples}})
    network.load_state_dict(found.network.state_dict())
    return AudioEncoder(network=network.eval(), frontend=encoder.frontend, outputs=encoder.outputs, about=encoder.about)


def encoder_of(model: Model) -> AudioEncoder | None:
    """Return the encoder of a probe whose embeddings can be kept; None for any other model."""
    settings = model.network.settings
    encoder = getattr(model.network, "encoder", None)
    if encoder is None or settings.get("encoder") is None or settings["trained"]:
        return None
    return AudioEncoder(network=encoder, frontend=model.frontend, outputs=settings["encoder"]["outputs"])
