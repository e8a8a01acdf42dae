"""The errors a person may meet. Each message names the file or key, the value, and the way out."""


class MusicrecError(Exception):
    """Base of all errors that are shown to the user as one message, without a traceback."""


class AudioError(MusicrecError):
    """An audio file cannot be decoded."""


class ManifestError(MusicrecError):
    """A manifest does not say what it should."""


class DownloadError(MusicrecError):
    """A file of a dataset cannot be fetched, or is not what it should be."""


class MidiError(MusicrecError):
    """A MIDI file cannot be read or rendered."""


class StoreError(MusicrecError):
    """A waveform store cannot be built, opened or trusted."""


class ExportError(MusicrecError):
    """An export folder or a checkpoint does not hold what it should."""


class LibraryError(MusicrecError):
    """A library of analysed tracks cannot be opened, trusted or written."""


class ConfigError(MusicrecError):
    """A setting has a value that cannot work."""


class SweepError(MusicrecError):
    """A sweep cannot be started, or continued with these settings."""


class JobFailed(MusicrecError):
    """A job of a multirun ended with a message that has been printed."""
