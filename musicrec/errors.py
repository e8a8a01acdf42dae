"""Errors that a user can cause. Each message names the file or key, the value, and the way out."""


class MusicrecError(Exception):
    """Base class of errors that are shown to the user as one message, without a traceback."""


class AudioError(MusicrecError):
    """An audio file cannot be decoded."""


class PlaylistError(MusicrecError):
    """A playlist or the collection of a DJ program cannot be read or written, or names no audio file."""


class ManifestError(MusicrecError):
    """A manifest is invalid."""


class DownloadError(MusicrecError):
    """A file of a dataset cannot be downloaded, or has the wrong checksum."""


class MidiError(MusicrecError):
    """A MIDI file cannot be read or rendered."""


class StoreError(MusicrecError):
    """A waveform store cannot be built or opened, or is damaged."""


class ExportError(MusicrecError):
    """An export folder or a checkpoint is incomplete or invalid."""


class LibraryError(MusicrecError):
    """A library of analysed tracks cannot be opened or written, or is damaged."""


class ProfileError(MusicrecError):
    """Feedback is invalid, or the database of profiles cannot be opened or written."""


class ConfigError(MusicrecError):
    """A setting has an invalid value."""


class SweepError(MusicrecError):
    """A sweep cannot be started, or cannot be continued with these settings."""


class JobFailed(MusicrecError):
    """A job of a multirun failed, and its message has been printed."""
