"""MuQ, which the library transformers lacks; its layers are those of a Wav2Vec2-Conformer."""

from typing import Any

import torch
from torch import Tensor, nn

from musicrec.config.number_types import Count, Natural
from musicrec.models.encoders._layer_means import collect_layers, layer_means
from musicrec.models.encoders._lora import add_lora

SAMPLE_RATE = 24_000  # of the published weights; their config.json does not say it
_N_FFT = 2048
_STRIDES = {25: (2, 2), 50: (2, 1)}  # in time, of the two convolutions, by the frames per second
_CONFIG = ("label_rate", "hop_length", "n_mels", "conv_dim", "encoder_dim", "encoder_depth", "stat", "w2v2_config")


class MuQEncoder(nn.Module):
    """A mel spectrogram, two residual blocks of convolutions and a Conformer, without what predicts tokens.

    Zhu et al. 2025, "MuQ: Self-supervised music representation learning with mel residual vector quantization".

    Args:
        config: Its config.json.
        chunk_samples: Length of the chunks, in samples at 24 kHz.
        lora_rank: Rank of the trained matrices beside the queries and values of the attention; 0 for none.
    """

    channels_last = False
    n_mels = 1

    def __init__(self, *, config: dict[str, Any], chunk_samples: Count, lora_rank: Natural = 0) -> None:
        super().__init__()
        from torchaudio.functional import melscale_fbanks
        from transformers import Wav2Vec2ConformerConfig
        from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import Wav2Vec2ConformerEncoder

        used = {name: config[name] for name in _CONFIG}
        self.settings = {"config": used, "chunk_samples": chunk_samples, "lora_rank": lora_rank}
        size, bands = used["encoder_dim"], used["n_mels"]
        self.chunk_samples, self.embedding_size, self.layers = chunk_samples, size, used["encoder_depth"] + 1
        self._hop, self._stat = used["hop_length"], used["stat"]
        self.register_buffer("window", torch.hann_window(_N_FFT), persistent=False)
        filters = melscale_fbanks(
            n_freqs=_N_FFT // 2 + 1, f_min=0.0, f_max=SAMPLE_RATE / 2, n_mels=bands, sample_rate=SAMPLE_RATE
        )
        self.register_buffer("filters", filters, persistent=False)
        self.conv = _Subsampling(used["conv_dim"], size, bands=bands, strides=_STRIDES[used["label_rate"]])
        known = Wav2Vec2ConformerConfig().to_dict().keys() - {"transformers_version", "dtype", "model_type"}
        settings = {name: value for name, value in used["w2v2_config"].items() if name in known and name[0] != "_"}
        settings |= {"hidden_size": size, "num_hidden_layers": used["encoder_depth"], "layerdrop": 0.0}
        self.conformer = Wav2Vec2ConformerEncoder(
            Wav2Vec2ConformerConfig(**settings, attn_implementation="eager")  # what the published weights ran in
        )
        collect_layers(self.conformer.layers)
        if lora_rank:
            add_lora(self, rank=lora_rank)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the embeddings (batch, layers, size) of a waveform (batch, 1, 1, samples) at 24 kHz."""
        with torch.autocast(waveform.device.type, enabled=False):
            mel = self._mel_decibels(waveform[:, 0, 0].float())
        mel = (mel - self._stat["melspec_2048_mean"]) / self._stat["melspec_2048_std"]
        return layer_means(lambda: self.conformer(self.conv(mel)).last_hidden_state)

    def _mel_decibels(self, samples: Tensor) -> Tensor:
        """Return the mel spectrogram (batch, bands, frames), a power in decibels, without its last frame."""
        spectrum = torch.stft(samples, _N_FFT, hop_length=self._hop, window=self.window, return_complex=True)
        mel = torch.einsum("bft,fm->bmt", spectrum.abs().square(), self.filters)
        return 10.0 * mel[..., :-1].clamp(min=1e-10).log10()

    def load_published(self, weights: dict[str, Tensor]) -> list[str]:
        """Take the weights of a published file, whose names begin with "model.".

        Args:
            weights: {name: tensor}; what training needs beside the encoder is not used.

        Returns:
            The names that the file lacks.
        """
        own = {name.removeprefix("model.").replace(".base.", "."): tensor for name, tensor in weights.items()}
        for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
            place = "conformer.pos_conv_embed.conv."
            if place + old in own:
                own[f"{place}parametrizations.weight.{new}"] = own.pop(place + old)
        mine = {name: name.replace(".base.", ".") for name in self.state_dict()}
        found = {name: own[source] for name, source in mine.items() if source in own}
        learned_beside = (".up.weight", ".down.weight", "num_batches_tracked", "inv_freq")
        self.load_state_dict(found, strict=False)
        return [name for name in mine if name not in found and not name.endswith(learned_beside)]


class _Subsampling(nn.Module):
    """Two residual blocks that halve the bands, and time as told; then a linear layer: (batch, frames, size)."""

    def __init__(self, channels: int, size: int, *, bands: int, strides: tuple[int, int]) -> None:
        super().__init__()
        first, second = strides
        self.conv = nn.Sequential(_Residual(1, channels, (2, first)), _Residual(channels, channels, (2, second)))
        self.linear = nn.Linear(channels * bands // 4, size)

    def forward(self, mel: Tensor) -> Tensor:
        return self.linear(self.conv(mel[:, None]).flatten(1, 2).transpose(1, 2))


class _Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, padding=1, stride=stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)
        self.conv3, self.bn3 = nn.Conv2d(inputs, outputs, 3, padding=1, stride=stride), nn.BatchNorm2d(outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.bn1(self.conv1(inputs)).relu()
        return (self.bn3(self.conv3(inputs)) + self.bn2(self.conv2(hidden))).relu()
