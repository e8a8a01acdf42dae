from musicrec.heads.answers import DJFacts


def test_heads_say_tempo_and_key_together():
    """A tonic keeps the mode of its head; another head adds one only if that is missing."""
    key, tonic, mode = DJFacts(tonic="A", mode="minor"), DJFacts(tonic="A"), DJFacts(mode="major")
    assert DJFacts.joined([mode, key, DJFacts(bpm=120.0), DJFacts(bpm=90.0)]) == DJFacts(
        bpm=120, tonic="A", mode="minor"
    )
    assert DJFacts.joined([tonic, mode]) == DJFacts(tonic="A", mode="major")
    assert DJFacts.joined([DJFacts(), mode]) == DJFacts(mode="major")
    assert DJFacts.joined([]) == DJFacts()
