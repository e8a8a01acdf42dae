import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from musicrec.programs.arguments import quote_paths


@pytest.mark.parametrize(
    "name",
    [
        "plain.mp3",
        "Artist - Title (Extended Mix) [2019], live=yes.mp3",
        "Don't Stop 'Til.wav",
        'The 12" mix: {a|b}.flac',
        "back\\slash\\.ogg",
        "ends with \\",
        "quote after slash \\'.mp3",
        "00123",
        "Größe – ♯.mp3",
    ],
)
def test_hydra_reads_any_file_name(name: str):
    (argument,) = quote_paths([f"query={name}"], keys=("query",))
    assert OverridesParser.create().parse_override(argument).value() == name


def test_other_arguments_stay():
    arguments = ["k=3", "query='a (b)'", "source=null", "exports=[a,b]", "query=", "library=${paths.runs}/l"]
    assert quote_paths(arguments, keys=("query", "source", "library")) == arguments
    assert quote_paths(["-m", "query=a,b"], keys=("query",)) == ["-m", "query=a,b"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/my run (1)/export", "/my run (1)/export"),
        ("[/my run (1)/export, /it's/b=c/export]", ["/my run (1)/export", "/it's/b=c/export"]),
        ("[one]", ["one"]),
        ("[]", []),
        ("['/a, b/export',/c]", ["/a, b/export", "/c"]),
        ("null", None),
    ],
)
def test_lists_of_folders(value: str, expected: object):
    (argument,) = quote_paths([f"exports={value}"], keys=(), list_keys=("exports",))
    assert OverridesParser.create().parse_override(argument).value() == expected
