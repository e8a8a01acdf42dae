"""Damage audio files by a seed. One file can be made again: python tests/fuzz/damage.py SEED FOLDER."""

import random
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # started as a program, or imported by its path

from originals import originals

_EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF)
_RATES = (0, 1, 2, 7, 100, 8_000, 22_050, 44_100, 384_000, 3_000_000, 2**31 - 1, 2**32 - 1)
_CHANNELS = (0, 1, 2, 3, 6, 8, 9, 64, 255, 256, 1_024, 4_096, 65_535)


def damaged(seed: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the name and the content of the file of a seed. Each kind of damage has its turn.

    Args:
        seed: Any number from 0; the kind is that of `seed % len(KINDS)`.
        files: Undamaged files by name, from `originals`.
    """
    rng = random.Random(seed)
    damage = KINDS[seed % len(KINDS)]
    original = rng.choice(sorted(files))
    content = damage(rng, files[original], files)
    suffix = Path(rng.choice(sorted(files)) if rng.random() < 0.15 else original).suffix
    if damage in _MADE:
        suffix, original = _MADE[damage], damage.__name__
    return f"{seed:04}-{damage.__name__}-{Path(original).stem}{suffix}", content


def truncated(rng: random.Random, content: bytes, files: dict) -> bytes:
    return content[: rng.choice([0, 1, 4, 11, 12, 43, 44, 100, rng.randrange(400), rng.randrange(len(content))])]


def header_bytes(rng: random.Random, content: bytes, files: dict) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice([1, 2, 4, 16])):
        out[rng.randrange(min(len(out), rng.choice([16, 64, 512])))] = rng.randrange(256)
    return bytes(out)


def bits_flipped(rng: random.Random, content: bytes, files: dict) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice([1, 10, 100, 2_000])):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def length_fields(rng: random.Random, content: bytes, files: dict) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        form = rng.choice(["<I", ">I", "<H", ">H", "<Q", ">Q"])
        size = struct.calcsize(form)
        at = rng.randrange(rng.choice([64, 256, 2_048, len(out)])) % max(1, len(out) - size)
        at -= at % 2 if rng.random() < 0.8 else 0
        value = rng.choice([*_EXTREMES, rng.getrandbits(8 * size)]) & ((1 << 8 * size) - 1)
        out[at : at + size] = struct.pack(form, value)
    return bytes(out)


def garbage_inserted(rng: random.Random, content: bytes, files: dict) -> bytes:
    at = rng.choice([0, rng.randrange(64), rng.randrange(len(content))])
    return content[:at] + rng.randbytes(rng.choice([1, 3, 512, 65_535, 300_000])) + content[at:]


def piece_missing(rng: random.Random, content: bytes, files: dict) -> bytes:
    at = rng.choice([rng.randrange(64), rng.randrange(len(content))])
    return content[:at] + content[at + rng.choice([1, 2, 100, 5_000]) :]


def piece_blank(rng: random.Random, content: bytes, files: dict) -> bytes:
    at, size = rng.choice([rng.randrange(64), rng.randrange(len(content))]), rng.choice([4, 100, 10_000])
    blank = rng.choice([b"\0", b"\xff", b" "]) * size
    return (content[:at] + blank + content[at + size :])[: max(len(content), at)]


def end_blank(rng: random.Random, content: bytes, files: dict) -> bytes:
    """As after a crash, or where a download was never finished."""
    at = rng.randrange(len(content))
    return content[:at] + b"\0" * (len(content) - at)


def repeated(rng: random.Random, content: bytes, files: dict) -> bytes:
    return content * rng.choice([2, 3]) if rng.random() < 0.5 else content[: rng.randrange(len(content))] + content


def two_containers(rng: random.Random, content: bytes, files: dict) -> bytes:
    other = files[rng.choice(sorted(files))]
    if rng.random() < 0.3:
        return content + other
    return content[: rng.choice([12, 44, 64, 200, len(content) // 2])] + other[rng.choice([0, 0, 12, 44]) :]


def tag_before(rng: random.Random, content: bytes, files: dict) -> bytes:
    return id3(rng.choice([id3_text("TIT2", "a"), b"\0" * 65_000, rng.randbytes(300)])) * rng.choice([1, 2]) + content


def wrong_tag_before(rng: random.Random, content: bytes, files: dict) -> bytes:
    frame = id3_text("TBPM", "120")
    size = rng.choice([0, 1, 5, 100, len(content), 0x0FFFFFFF])
    header = b"ID3" + bytes([rng.choice([0, 2, 3, 4, 9, 255]), 0, rng.randrange(256)]) + synchsafe(size)
    if rng.random() < 0.5:
        header = header[:6] + struct.pack(">I", rng.choice(_EXTREMES))
    return header + frame * rng.choice([0, 1, 50]) + content


def wrong_frames(rng: random.Random, content: bytes, files: dict) -> bytes:
    """Frames of ID3 with wrong lengths, flags and encodings."""
    frames = b""
    for _ in range(rng.choice([1, 5, 20])):
        name = rng.choice([b"TIT2", b"TXXX", b"TBPM", b"TKEY", b"TCON", b"APIC", b"COMM", b"GEOB", rng.randbytes(4)])
        body = rng.choice([b"", b"\0", b"\1\xff", b"\1\xff\xfea", b"\3\xff\xff", b"\2a", b"\7abc", rng.randbytes(40)])
        size = rng.choice([len(body), len(body), 0, 1, 0x0FFFFFFF, 0xFFFFFFFF])
        frames += name + struct.pack(">I", size) + rng.choice([b"\0\0", b"\0\x80", b"\0\x0f", b"\xff\xff"]) + body
    return id3(frames, version=rng.choice([2, 3, 4])) + content


def tag_behind(rng: random.Random, content: bytes, files: dict) -> bytes:
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, *(rng.choice(_EXTREMES) for _ in range(3))) + b"\0" * 8
    lyrics = b"LYRICSBEGIN" + rng.randbytes(50) + b"999999LYRICS200"
    return content + rng.choice([b"TAG" + rng.randbytes(125), ape, lyrics + b"TAG" + b"\0" * 125, id3(b"") * 3])


def odd_wav(rng: random.Random, content: bytes, files: dict) -> bytes:
    bits = rng.choice([0, 1, 4, 8, 12, 16, 24, 32, 64, 65_535])
    rate, channels = rng.choice(_RATES), rng.choice(_CHANNELS)
    code = rng.choice([0, 1, 1, 1, 2, 3, 6, 7, 17, 49, 85, 0xFFFE, 0xFFFF])
    header = struct.pack("<HHIIHH", code, channels, rate, rng.choice(_EXTREMES), rng.choice(_EXTREMES[:7]), bits)
    body = rng.randbytes(rng.choice([0, 1, 1_000, 400_000]))
    size = rng.choice([len(body), len(body), *_EXTREMES])
    chunks = b"fmt " + struct.pack("<I", rng.choice([16, 16, 16, 0, 14, 18, 40, 0xFFFFFFFF])) + header
    chunks += b"data" + struct.pack("<I", size) + body
    return b"RIFF" + struct.pack("<I", rng.choice([len(chunks) + 4, *_EXTREMES])) + b"WAVE" + chunks


def odd_rate(rng: random.Random, content: bytes, files: dict) -> bytes:
    """A valid file but for its rate: at 1 Hz, a small file lasts for days."""
    rate, body = rng.choice(_RATES), b"\x10\x20" * 200_000
    if rng.random() < 0.5:
        header = struct.pack("<HHIIHH", 1, 1, rate, rate * 2 & 0xFFFFFFFF, 2, 16)
        return b"RIFF" + struct.pack("<I", len(body) + 36) + b"WAVEfmt \x10\0\0\0" + header + _chunk(b"data", body)
    return b".snd" + struct.pack(">IIIII", 24, len(body), 3, rate, rng.choice(_CHANNELS)) + body


def odd_aiff(rng: random.Random, content: bytes, files: dict) -> bytes:
    rate = rng.choice([b"\x40\x0e\xac\x44" + b"\0" * 6, b"\0" * 10, b"\x7f\xff" + b"\xff" * 8, rng.randbytes(10)])
    form = struct.pack(">HIH", rng.choice(_CHANNELS), rng.choice(_EXTREMES), rng.choice([0, 8, 16, 24, 32, 99])) + rate
    body = rng.randbytes(3_000)
    chunks = b"COMM" + struct.pack(">I", rng.choice([18, *_EXTREMES])) + form
    chunks += b"SSND" + struct.pack(">III", rng.choice([len(body) + 8, *_EXTREMES]), rng.choice(_EXTREMES), 0) + body
    return b"FORM" + struct.pack(">I", rng.choice([len(chunks) + 4, *_EXTREMES])) + b"AIFF" + chunks


def odd_flac(rng: random.Random, content: bytes, files: dict) -> bytes:
    """A FLAC whose STREAMINFO contradicts its frames."""
    flac = bytearray(files["tagged.flac"])
    field = int.from_bytes(flac[18:26], "big")
    rate, frames = rng.choice(_RATES) & 0xFFFFF, rng.choice([0, 1, 2**36 - 1, field & (2**36 - 1)])
    flac[18:26] = (rate << 44 | rng.randrange(8) << 41 | rng.randrange(32) << 36 | frames).to_bytes(8, "big")
    if rng.random() < 0.5:
        flac[8:18] = rng.randbytes(10)
    return bytes(flac)


def flac_pictures(rng: random.Random, content: bytes, files: dict) -> bytes:
    """Pictures that unpack to a gigabyte, or whose stated sizes are wrong."""
    png = b"\x89PNG\r\n\x1a\n" + _png(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0))
    png += _png(b"IDAT", _bomb()) + _png(b"IEND", b"")
    sizes = [9, 0, len(png)] if rng.random() < 0.5 else [rng.choice(_EXTREMES) for _ in range(3)]
    block = struct.pack(">II", 3, sizes[0]) + b"image/png" + struct.pack(">I", sizes[1])
    block += struct.pack(">IIIII", *[2**32 - 1] * 4, sizes[2]) + png
    return _flac_with(files, [(6, block)] * rng.choice([1, 8]))


def flac_comments(rng: random.Random, content: bytes, files: dict) -> bytes:
    count, length = rng.choice([(1, 0xFFFFFFFF), (0xFFFFFFFF, 5), (100_000, 5), (0, 0), (3, 4)])
    words = (struct.pack("<I", length) + rng.choice([b"a=b=c", b"\xff\xfe\0=\0", b"=====", b"BPM=1"])) * 100_000
    return _flac_with(files, [(4, struct.pack("<II", 0, count) + words)])


def endless_blocks(rng: random.Random, content: bytes, files: dict) -> bytes:
    """A hundred thousand pieces of metadata before the audio, or instead of it."""
    many = 100_000
    wav, m4a = files["sf_wav.wav"], files["aac.m4a"]
    return rng.choice(
        [
            wav[:12] + _chunk(b"LIST", b"INFO") * many + wav[12:],
            wav[:12] + _chunk(b"JUNK", b"") * many + wav[12:],
            _flac_with(files, [(1, b"")] * many),
            m4a[:28] + b"\0\0\0\x08free" * many + m4a[28:],
            m4a[:28] + b"\0\0\0\x08moov" * many,
            files["sf_ogg.ogg"][:58] + files["sf_ogg.ogg"][:28] * many,
            id3(b"") * many + files["sf_mp3.mp3"],
            id3(id3_text("TXXX", "a\0b") * many) + files["sf_mp3.mp3"],
            b"FORM\x7f\xff\xff\xffAIFF" + b"ANNO\0\0\0\0" * many,
            files["sound.mka"][:40] + b"\xec\x80" * many + files["sound.mka"][40:],
            b"\xff\xfb\x90\x64" * many,
            b"\xff\xf1\x50\x80\x01\x3f\xfc" * many,
        ]
    )


def packed_tags(rng: random.Random, content: bytes, files: dict) -> bytes:
    """A frame of ID3, or the header of a QuickTime file, that unpacks to more than a gigabyte."""
    if rng.random() < 0.5:
        size, flags = struct.pack(">I", len(_bomb()) + 4), b"\0\x80"
        frame = rng.choice([b"TIT2", b"APIC", b"TXXX"]) + size + flags + struct.pack(">I", 0x4B000000) + _bomb()
        return id3(frame) + files["sf_mp3.mp3"]
    packed = _atom(b"cmvd", struct.pack(">I", rng.choice([0x4B000000, 0xFFFFFFFF, 100])) + _bomb())
    return files["aac.m4a"][:28] + _atom(b"moov", _atom(b"cmov", _atom(b"dcom", b"zlib") + packed))


def nested_atoms(rng: random.Random, content: bytes, files: dict) -> bytes:
    out, name = b"", rng.choice([b"moov", b"udta", b"meta", b"ilst", b"trak", b"mdia", b"\xa9nam"])
    for depth in range(rng.choice([100, 5_000])):
        out = struct.pack(">I", 8 * (depth + 1)) + name + out
    return files["aac.m4a"][:28] + (_atom(b"moov", out) if rng.random() < 0.5 else out) + content[-1_000:]


def odd_tables(rng: random.Random, content: bytes, files: dict) -> bytes:
    """An M4A whose table of samples, sizes or texts states any number of entries."""
    out = bytearray(files[rng.choice(["aac.m4a", "alac.m4a", "cover.m4a", "fragments.m4a"])])
    for name in rng.sample(["stsz", "stco", "stsc", "stts", "esds", "ilst", "data", "mdhd", "stsd", "trun"], 3):
        at = out.find(name.encode())
        if at > 0:
            start = at + rng.choice([-4, 4, 8, 12, 16])
            out[start : start + 4] = struct.pack(">I", rng.choice(_EXTREMES))
    return bytes(out)


def odd_xing(rng: random.Random, content: bytes, files: dict) -> bytes:
    out = bytearray(files["tagged.mp3"])
    at = max(out.find(b"Info"), out.find(b"Xing"))
    out[at + 4 : at + 16] = b"".join(struct.pack(">I", rng.choice(_EXTREMES)) for _ in range(3))
    return bytes(out[: rng.choice([at + rng.randrange(140), len(out)])])


def odd_pages(rng: random.Random, content: bytes, files: dict) -> bytes:
    """Ogg pages in the wrong order, lost, or with other positions and checksums."""
    ogg = files[rng.choice(["sf_ogg.ogg", "sound.opus", "sound.oga", "sf_ogg_opus.ogg"])]
    pages = [b"OggS" + page for page in ogg.split(b"OggS")[1:]]
    for _ in range(rng.choice([1, 3])):
        index = rng.randrange(len(pages))
        page = pages[index]
        change = rng.randrange(5)
        if change == 0:
            pages[index] = page[:6] + struct.pack("<Q", rng.choice([0, 2**63 - 1, 2**64 - 1, 2**40])) + page[14:]
        elif change == 1:
            pages.insert(rng.randrange(len(pages)), pages.pop(index))
        elif change == 2:
            pages.insert(index, page)
        elif change == 3 and len(pages) > 1:
            del pages[index]
        else:
            pages[index] = page[:26] + b"\xff" + page[27:]
    return b"".join(pages)


def no_audio(rng: random.Random, content: bytes, files: dict) -> bytes:
    """Files of other kinds with the name of an audio file, also lists that make ffmpeg open other files."""
    return rng.choice(
        [
            b"",
            b"\0" * rng.choice([1, 1_000, 3_000_000]),
            b"\xff" * 2_000_000,
            b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 50,
            rng.randbytes(100_000),
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + _bomb()[2:],
            b"PK\x03\x04" + rng.randbytes(5_000),
            b"\x89PNG\r\n\x1a\n" + _png(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 6, 0, 0, 0)) + _bomb(),
            b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\0\0\0;",
            b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + b"\0" * 4_000,
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nmissing.ts\n",  # a live stream: never at its end
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/dev/zero\n",
            b"ffconcat version 1.0\n" + b"file '/dev/zero'\n" * 1_000,
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",  # waits for a sender
            b"MThd\0\0\0\x06\0\x01\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0",
            b"\xef\xbb\xbf1\n00:00:00,000 --> 99:59:59,999\ntext\n",
        ]
    )


KINDS: list[Callable[[random.Random, bytes, dict[str, bytes]], bytes]] = [
    truncated,
    header_bytes,
    bits_flipped,
    length_fields,
    garbage_inserted,
    piece_missing,
    piece_blank,
    end_blank,
    repeated,
    two_containers,
    tag_before,
    wrong_tag_before,
    wrong_frames,
    tag_behind,
    odd_wav,
    odd_rate,
    odd_aiff,
    odd_flac,
    flac_pictures,
    flac_comments,
    endless_blocks,
    packed_tags,
    nested_atoms,
    odd_tables,
    odd_xing,
    odd_pages,
    no_audio,
]
_MADE = {  # the kinds that take no original, with their usual suffix
    odd_wav: ".wav",
    odd_rate: ".wav",
    odd_aiff: ".aiff",
    odd_flac: ".flac",
    flac_pictures: ".flac",
    flac_comments: ".flac",
    endless_blocks: ".mp3",
    packed_tags: ".mp3",
    nested_atoms: ".m4a",
    odd_tables: ".m4a",
    odd_xing: ".mp3",
    odd_pages: ".ogg",
    no_audio: ".m4a",
}


def id3(frames: bytes, *, version: int = 3) -> bytes:
    """Return a tag of ID3v2 with these frames."""
    return b"ID3" + bytes([version, 0, 0]) + synchsafe(len(frames)) + frames


def id3_text(name: str, text: str) -> bytes:
    """Return a text frame of ID3v2.3, in Latin-1."""
    body = b"\0" + text.encode("latin-1")
    return name.encode() + struct.pack(">I", len(body)) + b"\0\0" + body


def synchsafe(size: int) -> bytes:
    """Return a length as ID3 writes it: 28 bits in four bytes."""
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


@cache
def _bomb() -> bytes:
    """Return 1.2 GB of zeros, packed by zlib into 1.2 MB. Its checksum is wrong, which shows only at the end."""
    packer = zlib.compressobj(9)
    begin = packer.compress(b"\0" * (1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"\0" * (1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + again * 71 + packer.flush()


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


def _atom(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _png(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _flac_with(files: dict[str, bytes], blocks: list[tuple[int, bytes]]) -> bytes:
    """Return a FLAC with blocks of metadata behind STREAMINFO."""
    flac = files["tagged.flac"]
    added = b"".join(bytes([kind]) + (len(body) & 0xFFFFFF).to_bytes(3, "big") + body for kind, body in blocks)
    return flac[:42] + added + flac[42:]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        name, content = damaged(int(sys.argv[1]), originals(Path(temporary)))
    Path(sys.argv[2], name).write_bytes(content)
    print(Path(sys.argv[2], name))
