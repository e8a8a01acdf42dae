import numpy as np
import pytest

from musicrec.heads.keys import (
    KEYS_24,
    PITCH_CLASSES,
    camelot,
    camelot_compatibility,
    key_index,
    key_name,
    parse_key,
    parse_pitch_class,
)

# The wheel as printed: majors (B) and minors (A) of number 1..12.
WHEEL_MAJOR = ("B", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E")
WHEEL_MINOR = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "Gb", "Db")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("C", 0), ("C#", 1), ("Db", 1), ("d♭", 1), ("D♯", 3), ("Fb", 4), ("E#", 5), ("f#", 6), ("A♯", 10), ("B♭", 10),
     ("bb", 10), ("b", 11), ("Cb", 11), ("B#", 0), (" G ", 7)],
)  # fmt: skip
def test_parse_pitch_class(text, expected):
    assert parse_pitch_class(text) == expected


@pytest.mark.parametrize("text", ["", "H", "C##", "Am", "4", "#", "C b", "é"])
def test_parse_pitch_class_rejects(text):
    with pytest.raises(ValueError, match="not a note name"):
        parse_pitch_class(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A minor", (9, "minor")), ("F#m", (6, "minor")), ("Bb", (10, None)), ("Db:maj", (1, "major")),
     ("b MINOR", (11, "minor")), ("bb min", (10, "minor")), ("CM", (0, "major")), ("G♭ Major", (6, "major"))],
)  # fmt: skip
def test_parse_key(text, expected):
    assert parse_key(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A moll", (9, "minor")), ("a-Moll", (9, "minor")), ("Cis-Dur", (1, "major")), ("fis-moll", (6, "minor")),
     ("Es-Dur", (3, "major")), ("As moll", (8, "minor")), ("Des dur", (1, "major")), ("B-Dur", (10, "major")),
     ("b-moll", (10, "minor")), ("H-Dur", (11, "major")), ("h moll", (11, "minor")), ("Hm", (11, "minor")),
     ("Bm", (11, "minor")), ("B major", (11, "major")), ("B-minor", (11, "minor")), ("Bb moll", (10, "minor"))],
)  # fmt: skip
def test_german_names_where_b_is_b_flat(text, expected):
    assert parse_key(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("La mineur", (9, "minor")), ("Do majeur", (0, "major")), ("Ré mineur", (2, "minor")),
     ("Re\u0301 mineur", (2, "minor")), ("Fa dièse mineur", (6, "minor")), ("Si bémol majeur", (10, "major")),
     ("Sol# mineur", (8, "minor")), ("Mib majeur", (3, "major")), ("La minore", (9, "minor")),
     ("Fa diesis minore", (6, "minor")), ("Si bemolle maggiore", (10, "major")), ("do sostenido menor", (1, "minor"))],
)  # fmt: skip
def test_romance_names(text, expected):
    assert parse_key(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Am", (9, "minor")), ("Amin", (9, "minor")), ("A min", (9, "minor")), ("A min.", (9, "minor")),
     ("A-minor", (9, "minor")), ("AM", (9, "major")), ("F♯m", (6, "minor")), ("E♭ minor", (3, "minor")),
     ("F sharp minor", (6, "minor")), ("B flat major", (10, "major")), ("Dmaj", (2, "major")), ("Ebm", (3, "minor")),
     ("E-flat minor", (3, "minor")), ("F-sharp-major", (6, "major"))],
)  # fmt: skip
def test_english_spellings(text, expected):
    assert parse_key(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "A dorian", "minor", "13A", "0d", "8C", "C minor minor", "C4", "Asus", "Ds minor", "Dorian", "Fa la", "Lam x"],
)
def test_parse_key_rejects(text):
    with pytest.raises(ValueError, match="not a key"):
        parse_key(text)


@pytest.mark.parametrize("number", range(1, 13))
def test_parse_key_reads_the_wheels(number):
    major, minor = parse_pitch_class(WHEEL_MAJOR[number - 1]), parse_pitch_class(WHEEL_MINOR[number - 1])
    assert parse_key(f"{number}B") == parse_key(f"{number:02}b") == (major, "major")
    assert parse_key(f"{number}A") == (minor, "minor")
    open_key = (number - 8) % 12 + 1  # as printed on it: 1d is C major, 1m A minor
    assert parse_key(f"{open_key}d") == (major, "major")
    assert parse_key(f"{open_key}m") == (minor, "minor")


def test_order_of_the_24_classes():
    assert len(set(KEYS_24)) == 24
    assert [KEYS_24[i] for i in (0, 11, 12, 21)] == ["C major", "B major", "C minor", "A minor"]
    for index, name in enumerate(KEYS_24):
        assert key_index(*parse_key(name)) == index
        assert key_name(*parse_key(name)) == name


@pytest.mark.parametrize(("pitch_class", "mode"), [(12, "major"), (-1, "minor"), (0, "dorian")])
def test_key_name_rejects(pitch_class, mode):
    with pytest.raises(ValueError):
        key_name(pitch_class, mode)
    with pytest.raises(ValueError):
        camelot(pitch_class, mode)


def test_camelot_is_the_printed_wheel():
    for number, (major, minor) in enumerate(zip(WHEEL_MAJOR, WHEEL_MINOR, strict=True), start=1):
        assert camelot(PITCH_CLASSES.index(major), "major") == f"{number}B"
        assert camelot(PITCH_CLASSES.index(minor), "minor") == f"{number}A"


@pytest.mark.parametrize(
    ("a", "b", "score"),
    [("A minor", "A minor", 1.0), ("C major", "G major", 0.9), ("E major", "B major", 0.9), ("C major", "A minor", 0.8),
     ("C major", "E minor", 0.55), ("C major", "D minor", 0.55), ("C major", "D major", 0.45),
     ("B major", "A major", 0.45), ("C major", "C minor", 0.1), ("C major", "Gb major", 0.1)],
)  # fmt: skip
def test_camelot_compatibility(a, b, score):
    assert camelot_compatibility()[KEYS_24.index(a), KEYS_24.index(b)] == score


def test_camelot_compatibility_has_one_row_of_scores_for_every_key():
    scores = camelot_compatibility()
    np.testing.assert_array_equal(scores, scores.T)
    expected = sorted([1.0, 0.9, 0.9, 0.8, 0.55, 0.55, 0.45, 0.45] + [0.1] * 16)
    assert all(sorted(row) == expected for row in scores)
