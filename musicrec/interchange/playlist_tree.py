"""Build the tree of playlists while the elements of a file arrive."""

from collections.abc import Callable

from musicrec.interchange.collection import CollectionPlaylist, PlaylistFolder

Entry = tuple[str, str]  # which kind of key, and the key as the file writes it


class TreeBuilder:
    """Collects folders and playlists in the order of the file.

    The tracks of the entries are found at the end, since a file may list its playlists first.
    """

    def __init__(self) -> None:
        self._root: list[_Node] = []
        self._open: list[_Node | None] = []

    def start(self, name: str, *, folder: bool) -> None:
        """Begin a folder or a playlist."""
        node = _Node(name, folder)
        above = next((open_ for open_ in reversed(self._open) if open_ is not None), None)
        (self._root if above is None else above.children).append(node)
        self._open.append(node)

    def start_root(self) -> None:
        """Begin the folder that contains all others and has no name of its own, or what is passed over."""
        self._open.append(None)

    def add(self, entry: Entry) -> None:
        """Add an entry to the playlist that began last."""
        if self._open and self._open[-1] is not None:
            self._open[-1].entries.append(entry)

    def end(self) -> None:
        """End what began last."""
        if self._open:
            self._open.pop()

    def build(self, find: Callable[[Entry], int | None]) -> tuple[CollectionPlaylist | PlaylistFolder, ...]:
        """Return the tree.

        Args:
            find: Returns the position of the track of an entry, None if there is none.
        """
        return tuple(_built(node, find) for node in self._root)


class _Node:
    __slots__ = ("children", "entries", "folder", "name")

    def __init__(self, name: str, folder: bool) -> None:
        self.name, self.folder = name, folder
        self.children: list[_Node] = []
        self.entries: list[Entry] = []


def _built(node: _Node, find: Callable[[Entry], int | None]) -> CollectionPlaylist | PlaylistFolder:
    if node.folder:
        return PlaylistFolder(name=node.name, children=tuple(_built(child, find) for child in node.children))
    found = [(entry, find(entry)) for entry in node.entries]
    return CollectionPlaylist(
        name=node.name,
        tracks=tuple(number for _, number in found if number is not None),
        missing=tuple(entry[1] for entry, number in found if number is None),
    )
