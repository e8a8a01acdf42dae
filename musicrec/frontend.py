"""From waveform to decibels: the mel spectrogram that every network here listens to."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from nnAudio import features
from torch import Tensor, nn

INT16_SCALE = 2.0**-15
POWER_FLOOR = 1e-10  # -100 dB: what digital silence becomes


class MelSpectrogram(nn.Module):
    """Mel spectrogram in decibels, computed by nnAudio on the waveform's device and always in float32.

    Its numbers are those of torchaudio's default mel spectrogram: HTK scale, triangles without area normalisation.
    It holds nothing to train or to save: its `state_dict` is empty.

    Args:
        sample_rate: in hertz.
        n_fft: window and transform length in samples.
        hop_length: samples from one frame to the next.
        n_mels: mel bands.
        f_min, f_max: range of the mel bands in hertz.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 16_000,
        n_fft: int = 512,
        hop_length: int = 256,
        n_mels: int = 96,
        f_min: float = 0.0,
        f_max: float = 8000.0,
    ) -> None:
        super().__init__()
        self.settings = {
            "sample_rate": sample_rate,
            "n_fft": n_fft,
            "hop_length": hop_length,
            "n_mels": n_mels,
            "f_min": f_min,
            "f_max": f_max,
        }
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.shortest_samples = n_fft // 2 + 1  # reflection at both ends needs more than half a window
        self.mel = features.MelSpectrogram(
            sr=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=f_min,
            fmax=f_max,
            htk=True,
            norm=None,
            verbose=False,
        )
        for module in self.mel.modules():
            for name, buffer in list(module.named_buffers(recurse=False)):
                module.register_buffer(name, buffer, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Decibels of a batch of waveforms.

        Args:
            waveform: (batch, samples), floating point in [-1, 1] or int16. Input of half a window or less is
                padded with zeros.

        Returns:
            (batch, 1, n_mels, samples // hop_length + 1) float32, at least -100 dB.
        """
        if waveform.ndim != 2:
            raise ValueError(f"waveform must be (batch, samples), not {tuple(waveform.shape)}")
        if waveform.dtype == torch.int16:
            waveform = waveform.float() * INT16_SCALE
        elif not waveform.is_floating_point():
            raise ValueError(f"waveform must be floating point or int16, not {waveform.dtype}")
        samples = waveform.shape[1]
        # Quiet bands lie 100 dB below loud ones: reduced precision would move them by 10 dB.
        with torch.autocast(waveform.device.type, enabled=False), _exact_float32():
            padded = F.pad(waveform.float(), (0, max(0, self.shortest_samples - samples)))
            power = self.mel(padded)[..., : samples // self.hop_length + 1]
            return 10.0 * torch.log10(power.clamp(min=POWER_FLOOR)).unsqueeze(1)


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Matrix products and convolutions without TF32 or bfloat16 shortcuts, whatever the program allows elsewhere."""
    backends = torch.backends
    operations = (backends.cudnn.conv, backends.cuda.matmul, backends.mkldnn.conv, backends.mkldnn.matmul)
    allowed = [operation.fp32_precision for operation in operations]
    try:
        for operation in operations:
            operation.fp32_precision = "ieee"
        yield
    finally:
        for operation, precision in zip(operations, allowed, strict=True):
            operation.fp32_precision = precision
