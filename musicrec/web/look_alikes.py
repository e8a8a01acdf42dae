"""Names that people take for one another, so that nobody can sign up as somebody else.

Python knows no scripts and no table of look-alikes, so this holds the letters of Cyrillic, Greek and Armenian that look
like Latin ones, and small capitals; https://www.unicode.org/reports/tr39/ has all of them.
"""

import unicodedata

_ALIKE = (
    ("аɑα", "a"), ("ЬƄ", "b"), ("сϲᴄ", "c"), ("ԁ", "d"), ("е", "e"), ("һհ", "h"), ("ιіɩ", "i"), ("ӏ1|", "l"),
    ("јϳ", "j"), ("кκ", "k"), ("ո", "n"), ("оοօ0", "o"), ("рρ", "p"), ("ԛզ", "q"), ("ѕ", "s"), ("τт", "t"),
    ("υսʋ", "u"), ("νѵ", "v"), ("ԝω", "w"), ("хχ", "x"), ("уγү", "y"), ("вβ", "b"), ("нη", "h"), ("мμ", "m"),
    ("ζ", "z"), ("г", "r"), ("з", "3"), ("б", "6"), ("ч", "4"), ("ıɪ", "i"),
    *zip("ᴀʙᴅᴇɢʜᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abdeghjklmnoprstuvwyz", strict=True),  # small capitals
)  # fmt: skip
_LATIN_OF = {ord(letter): latin for letters, latin in _ALIKE for letter in letters}
_TOGETHER = ({"HIRAGANA", "KATAKANA", "CJK", "LATIN"}, {"HANGUL", "CJK", "LATIN"}, {"BOPOMOFO", "CJK", "LATIN"})
"""Scripts that are written together. Their letters do not look alike."""
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and signs that show nothing
_LETTERS = ("Lu", "Ll", "Lt", "Lo")  # without those that modify others, which belong to several scripts


def look(name: str) -> str:
    """Return what two names have in common that people take for the same.

    Capitals, widths, unseen signs, the script of letters that look alike, and 0 and 1 for o and l make no difference.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    latin = unicodedata.normalize("NFKC", plain.translate(_LATIN_OF))
    return " ".join("".join(one for one in latin if not _is_unseen(one)).split())


def mixed_scripts(name: str) -> list[str]:
    """Return the scripts of the letters of a name if they are not written together, else nothing."""
    letters = (one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) in _LETTERS)
    scripts = {unicodedata.name(one, "UNKNOWN").partition(" ")[0] for one in letters} - {"IDEOGRAPHIC"}
    if len(scripts) < 2 or any(scripts <= together for together in _TOGETHER):
        return []
    return sorted(script.capitalize() for script in scripts)


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or char in _UNSEEN or "\ufe00" <= char <= "\ufe0f"
