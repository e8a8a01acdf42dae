"""Probes: what is trained, what stays, and that embeddings and spectrograms give the same answers."""

import pytest
import torch

from musicrec.errors import ConfigError
from musicrec.models.encoders import AudioEncoder, build_encoder, embed
from musicrec.models.frontends.mel import MelSpectrogram
from musicrec.models.musicnn import MusiCNN
from musicrec.models.probe import Probe
from musicrec.models.short_chunk_resnet import ShortChunkResNet

OUTPUTS = {"tags": 7, "tempo": 3}
SPECTROGRAMS = torch.randn(4, 1, 96, 187)


def encoder() -> AudioEncoder:
    torch.manual_seed(0)
    network = MusiCNN({"tags": 5}, width=8, middle=4, hidden=6).eval()
    return AudioEncoder(network=network, frontend=MelSpectrogram(n_mels=96), outputs={"tags": 5})


def probe(**settings) -> Probe:
    found = encoder()
    made = Probe(OUTPUTS, encoder=found.description, embedding_size=6, chunk_samples=found.chunk_samples, **settings)
    made.encoder.load_state_dict(found.network.state_dict())
    return made


@pytest.mark.parametrize("width", [0, 8])
def test_embeddings_and_spectrograms_give_the_same_answers(width: int):
    network = probe(width=width).eval()
    embedding, logits = network(SPECTROGRAMS)
    expected, _ = encoder().network(SPECTROGRAMS)
    assert torch.equal(embedding, expected)
    again, same = network(expected)
    assert torch.equal(again, expected) and all(torch.equal(logits[name], same[name]) for name in OUTPUTS)
    assert {name: value.shape for name, value in logits.items()} == {"tags": (4, 7), "tempo": (4, 3)}


def test_only_the_heads_are_trained_and_the_statistics_of_the_encoder_stay():
    network = probe().train()
    trained = {name.split(".")[0] for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trained == {"classifier"}
    before = {name: tensor.clone() for name, tensor in network.encoder.state_dict().items()}
    embedding, logits = network(SPECTROGRAMS)
    sum(value.square().sum() for value in logits.values()).backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.encoder.state_dict().items())
    assert not embedding.requires_grad and network.classifier.linears["tags"].weight.grad.abs().sum() > 0


def test_columns_get_mean_0_and_variance_1():
    network = Probe({"tags": 2}, embedding_size=3, dropout=0.0).train()
    network.classifier.linears["tags"] = torch.nn.Identity()
    _, logits = network(torch.tensor([[1.0, 10.0, -4.0], [3.0, 30.0, 4.0]]))
    assert torch.allclose(logits["tags"], torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]), atol=1e-4)


def test_layers_are_weighted_by_a_softmax():
    network = Probe({"tags": 2}, embedding_size=1, layers=2).eval()
    network.layer_weights.data = torch.tensor([0.0, 1.0])  # softmax: 0.2689, 0.7311
    embedding, _ = network(torch.tensor([[[1.0], [2.0]]]))
    assert embedding.item() == pytest.approx(0.268941 + 2 * 0.731059, abs=1e-5)
    embedding.sum().backward()
    assert network.layer_weights.grad.tolist() == pytest.approx([-0.196612, 0.196612], abs=1e-5)  # p (1 - p)


def test_one_chunk_in_training_is_refused():
    with pytest.raises(ConfigError, match=r"data\.batch_size"):
        Probe({"tags": 2}, embedding_size=3).train()(torch.zeros(1, 3))


def test_the_form_for_inference_has_the_same_answers():
    network = probe().eval()
    fast = network.for_inference()
    assert type(fast.encoder).__name__ == "CompactMusiCNN" and fast.chunk_frames == network.encoder.chunk_frames
    for ours, theirs in zip(network(SPECTROGRAMS)[1].values(), fast(SPECTROGRAMS)[1].values(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4)
    assert type(network.encoder).__name__ == "MusiCNN"


def test_an_encoder_is_built_again_from_its_description():
    torch.manual_seed(0)
    network = ShortChunkResNet({"tags": 5}, width=8).eval()
    found = AudioEncoder(network=network, frontend=MelSpectrogram(n_mels=128), outputs={"tags": 5})
    again = build_encoder(found.description).eval()
    again.load_state_dict(network.state_dict())
    spectrograms = torch.randn(2, 1, 128, 231)
    assert torch.equal(embed(again, spectrograms), network(spectrograms)[0])
    assert found.layers == 1 and found.embedding_size == network.embedding_size


def test_the_checksum_depends_on_weights_settings_and_front_end():
    first = encoder()
    assert first.checksum() == encoder().checksum()
    other = AudioEncoder(network=first.network, frontend=MelSpectrogram(n_mels=96, f_min=20.0), outputs={"tags": 5})
    changed = encoder()
    next(changed.network.parameters()).data[0] += 1e-6
    longer = AudioEncoder(
        network=MusiCNN({"tags": 5}, width=8, middle=4, hidden=6, chunk_samples=50_000),
        frontend=first.frontend, outputs={"tags": 5},
    )  # fmt: skip
    longer.network.load_state_dict(first.network.state_dict())
    assert len({one.checksum() for one in (first, other, changed, longer)}) == 4
