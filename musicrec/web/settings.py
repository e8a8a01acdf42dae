"""What a server is started with."""

from dataclasses import dataclass, field
from pathlib import Path

from musicrec.errors import ConfigError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
LEAST_TOKEN = 16  # characters
MOST_PROCESSES = 64


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """How much may be uploaded.

    Attributes:
        size_bytes: The most bytes of one file.
        duration_s: The longest audio in seconds.
        waiting: The most uploads that wait for their analysis.
        each: The most of them of one user; None for all.
    """

    size_bytes: int = 300 * 2**20
    duration_s: float = 2 * 3600.0
    waiting: int = 20
    each: int | None = None


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of a server.

    Attributes:
        library: The library; None for the one of the `musicrec` command.
        host: The address that it listens on.
        port: The port; 0 takes a free one.
        token: What a browser or program must know to be answered. None asks nobody, which only a loopback address may.
        users: Whether several people use it, each with a name and a PIN.
        root_path: The path below which a reverse proxy shows it, such as "/music"; "" for none.
        allowed_hosts: Names of this server besides its address, as in the header Host.
        profiles: Where profiles are kept; None for MUSICREC_PROFILES, or else the file of the library.
        device: Where the models run, as for `Recommender.open`.
        processes: How many queries are answered at the same time, each in a process of its own that holds the library
            in memory; the second one is started when two queries come together. 0 answers them in the server itself,
            one after the other, which saves memory. None takes what suits this computer.
        index: Whether folders of this computer can be indexed from the page.
        json_logs: Whether each request is logged as a line of JSON.
        uploads: How much may be uploaded.
        temporary: Where uploads and previews are written; None for the cache folder of the user.

    Raises:
        ConfigError: A setting is out of range, or an address that others can reach has no token.
    """

    library: str | Path | None = None
    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    users: bool = False
    root_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    profiles: str | None = None
    device: str = "auto"
    processes: int | None = None
    index: bool = True
    json_logs: bool = False
    uploads: UploadLimits = field(default_factory=UploadLimits)
    temporary: Path | None = None

    def __post_init__(self) -> None:
        if self.processes is not None and not 0 <= self.processes <= MOST_PROCESSES:
            raise ConfigError(f"processes={self.processes}: give a number from 0 to {MOST_PROCESSES}")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port={self.port}: give a number from 0 to 65535")
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigError(f"root_path={self.root_path}: begin it with a slash and end it without, as in /music")
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise ConfigError(f"token: it is too short to be safe; give {LEAST_TOKEN} characters or more")
        if self.token is None and not self.alone:
            raise ConfigError(f"host={self.host}: others can reach this server, so it needs a token")

    @property
    def loopback(self) -> bool:
        """Whether the address is one of this computer only."""
        return is_loopback(self.host)

    @property
    def alone(self) -> bool:
        """Whether only programs on this computer can reach it: not from elsewhere, and not through a proxy."""
        return self.loopback and not self.allowed_hosts


def is_loopback(host: str) -> bool:
    """Return whether only this computer can reach an address to listen on."""
    return host in LOOPBACK or host.startswith("127.")
