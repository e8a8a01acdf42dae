"""File name suffixes: those of the formats that can be decoded, and those of music files that cannot."""

AUDIO_SUFFIXES = frozenset(
    {
        # Read by libsndfile.
        ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aif", ".aiff",
        ".aifc", ".au", ".snd", ".caf",
        # Read by ffmpeg.
        ".m4a", ".m4b", ".m4r", ".mp4", ".aac", ".alac", ".wma", ".asf", ".wv", ".ape", ".mpc", ".mp+", ".tta", ".tak",
        ".dsf", ".dff", ".ac3", ".eac3", ".dts", ".amr", ".spx", ".mka", ".ra", ".rm", ".oma", ".shn",
        # The audio of videos, read by ffmpeg.
        ".m4v", ".mov", ".webm", ".mkv", ".3gp", ".ogv", ".wmv", ".avi", ".flv", ".mpg", ".mpeg",
    }
)  # fmt: skip

_PROTECTED = "copy-protected, and only the shop's own program can play it"
_NOTES = "holds notes, not audio; a synthesizer can render it to audio"
_PLAYLIST = "a playlist, not audio"

UNDECODABLE_SUFFIXES = {
    **dict.fromkeys((".m4p", ".aa", ".aax", ".aaxc"), _PROTECTED),
    **dict.fromkeys((".mid", ".midi", ".kar", ".rmi", ".mod", ".xm", ".s3m", ".it"), _NOTES),
    **dict.fromkeys((".wpl", ".asx", ".wax", ".pls", ".xspf", ".zpl"), _PLAYLIST),
    **dict.fromkeys((".ofr", ".ofs", ".la"), "in a format that no decoder here reads; convert it to FLAC"),
}
"""{suffix: why the file cannot be decoded}. A search of a folder counts and names such files."""
