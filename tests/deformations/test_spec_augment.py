"""SpecAugment: how much is hidden, and by what."""

import pytest
import torch

from musicrec.deformations.spec_augment import SpecAugment
from musicrec.errors import ConfigError


def test_spec_augment_hides_bands_at_the_mean_level():
    mel = torch.randn(8, 1, 40, 60)
    augment = SpecAugment(frequency_masks=1, max_channels=10, time_masks=1, max_frames=20)
    result = augment(mel, generator=torch.Generator().manual_seed(0))
    changed = result != mel
    assert changed.any(dim=(1, 2, 3)).sum() >= 7
    for index in range(8):
        rows, columns = changed[index, 0].all(dim=1).sum(), changed[index, 0].all(dim=0).sum()
        assert rows <= 10 and columns <= 20
        hidden = result[index][changed[index]]
        torch.testing.assert_close(hidden, mel[index].mean().expand_as(hidden))


def test_none_hides_nothing():
    mel = torch.randn(2, 1, 40, 60)
    nothing = SpecAugment(frequency_masks=0, time_masks=2, max_frames=0)
    assert torch.equal(nothing(mel, generator=torch.Generator().manual_seed(0)), mel)


@pytest.mark.parametrize("name", ["frequency_masks", "max_channels", "time_masks", "max_frames"])
@pytest.mark.parametrize("value", [-3, 0.5, True, False, "8", None])
def test_a_mistake_is_named(name: str, value: object):
    with pytest.raises(ConfigError, match=f"{name}={value}: give a whole number, 0 or more"):
        SpecAugment(**{name: value})
