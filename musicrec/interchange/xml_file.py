"""Read XML from strangers element by element, and write XML.

A collection may come from anywhere, so the reader refuses document types, and with them entities of every kind (which
could grow without end, or read other files), and it limits the size of the file, of one tag, the number of elements and
their depth. It keeps nothing in memory but the names of the open elements.
"""

import os
import xml.sax
import xml.sax.handler
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from musicrec.errors import PlaylistError
from musicrec.interchange.output_files import clean_text

_MOST_BYTES = 1 << 30  # 100,000 tracks take 100 to 300 MB
_MOST_ELEMENTS = 20_000_000
_LONGEST_TAG = 1 << 22  # bytes
_DEEPEST = 200  # open elements; a folder of playlists takes one or two
_BLOCK = 1 << 16
_SHOWN = 80


class ElementReader(Protocol):
    """Receives the elements of a file in their order."""

    def start(self, name: str, attributes: Mapping[str, str], above: Sequence[str], line: int) -> None:
        """Receive the beginning of an element.

        Args:
            name: Its name.
            attributes: Its attributes.
            above: Names of the elements that contain it, from the root.
            line: Its line in the file, from 1.
        """

    def end(self, name: str, above: Sequence[str]) -> None:
        """Receive the end of an element."""


def read_xml(path: str | os.PathLike, reader: ElementReader, *, root: str, what: str) -> None:
    """Read an XML file.

    Args:
        path: The file.
        reader: Receives the elements.
        root: Name that the first element must have.
        what: What the file should be, for messages, such as "a collection of rekordbox".

    Raises:
        PlaylistError: The file cannot be read, is damaged or cut off, is something else, or breaks a limit.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.expatreader import DefusedExpatParser

    path = Path(path)
    parser = DefusedExpatParser(forbid_dtd=True)
    handler = _Handler(reader, path, root, what, parser.getLineNumber)
    parser.setContentHandler(handler)
    try:
        if path.exists() and not path.is_file():
            raise PlaylistError(f"{path}: is {'a folder' if path.is_dir() else 'not a regular file'}, not {what}")
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > _MOST_BYTES:
                raise PlaylistError(f"{path}: is larger than {_MOST_BYTES >> 20:,} MiB, the most that is read")
            while block := file.read(_BLOCK):
                handler.unread += len(block)
                parser.feed(block)
                if handler.unread > _LONGEST_TAG:
                    raise PlaylistError(f"{path}: line {handler.line}: a tag or a comment is longer than 4 MiB")
        parser.close()
        if not handler.elements:
            raise PlaylistError(f"{path}: is empty, not {what}")
    except FileNotFoundError:
        raise PlaylistError(f"{path}: no such file") from None
    except OSError as error:
        raise PlaylistError(f"{path}: cannot be read: {error.strerror}") from None
    except DefusedXmlException:
        raise PlaylistError(
            f"{path}: line {parser.getLineNumber()}: declares a document type, which {what} never does; nothing is read"
        ) from None
    except xml.sax.SAXParseException as error:
        raise PlaylistError(f"{path}: line {error.getLineNumber()}: {_reason(error, handler, what)}") from None
    except (LookupError, ValueError):  # an encoding that Python does not know, or cannot use here
        if handler.elements:
            raise
        raise PlaylistError(f"{path}: is written in an encoding that is not known; export it as UTF-8") from None


class _Handler(xml.sax.handler.ContentHandler):
    """Passes the elements on, and checks the limits."""

    def __init__(self, reader: ElementReader, path: Path, root: str, what: str, line_number: Callable[[], int]) -> None:
        super().__init__()
        self.reader, self.path, self.root, self.what = reader, path, root, what
        self._line_number = line_number
        self.open: list[str] = []
        self.elements = 0
        self.unread = 0  # bytes since the last event

    @property
    def line(self) -> int:
        return self._line_number()

    def startElement(self, name: str, attrs: xml.sax.xmlreader.AttributesImpl) -> None:
        self.elements += 1
        self.unread = 0
        if self.elements == 1 and name != self.root:
            raise PlaylistError(
                f"{self.path}: line {self.line}: begins with <{name[:_SHOWN]}>, so it is not {self.what}, which begins "
                f"with <{self.root}>"
            )
        if self.elements > _MOST_ELEMENTS:
            raise PlaylistError(f"{self.path}: has more than {_MOST_ELEMENTS:,} elements, the most that are read")
        if len(self.open) >= _DEEPEST:
            raise PlaylistError(f"{self.path}: line {self.line}: more than {_DEEPEST} elements inside each other")
        self.reader.start(name, dict(attrs), self.open, self.line)
        self.open.append(name)

    def endElement(self, name: str) -> None:
        self.unread = 0
        self.open.pop()
        self.reader.end(name, self.open)

    def characters(self, content: str) -> None:
        self.unread = 0


def _reason(error: xml.sax.SAXParseException, handler: _Handler, what: str) -> str:
    message = error.getMessage()
    if message.startswith(("no element found", "unclosed")) and (handler.open or not handler.elements):
        return f"the file ends before it is complete, so it was cut off; export {what} again"
    if not handler.elements:
        return f"is not XML ({message}), so it is not {what}"
    return f"is damaged ({message}); export {what} again"


class XmlWriter:
    """Writes indented XML.

    Args:
        file: A text file.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._depth = 0
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n')

    def comment(self, text: str) -> None:
        """Write a comment."""
        self._file.write(f"{'  ' * self._depth}<!-- {text} -->\n")

    def element(self, name: str, attributes: Mapping[str, object]) -> None:
        """Write an element without content.

        Args:
            name: Its name.
            attributes: Its attributes; None is left out.
        """
        self._file.write(f"{'  ' * self._depth}<{name}{_attributes(attributes)}/>\n")

    @contextmanager
    def inside(self, name: str, attributes: Mapping[str, object] | None = None) -> Iterator[None]:
        """Write an element that contains what the `with` block writes."""
        self._file.write(f"{'  ' * self._depth}<{name}{_attributes(attributes or {})}>\n")
        self._depth += 1
        yield
        self._depth -= 1
        self._file.write(f"{'  ' * self._depth}</{name}>\n")


_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def _attributes(attributes: Mapping[str, object]) -> str:
    return "".join(
        f' {name}="{clean_text(str(value)).translate(_ESCAPES)}"'
        for name, value in attributes.items()
        if value is not None
    )
