"""The parts of a baseline JPEG file (ITU-T T.81) that RFC 2435 leaves out of a packet."""

from __future__ import annotations

import functools
import struct

SOF0, DHT, DQT, DRI, SOS = 0xC0, 0xC4, 0xDB, 0xDD, 0xDA
START, END = b"\xff\xd8", b"\xff\xd9"
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_SCAN = bytes.fromhex("ffda000c03010002110311003f00")
_SAMPLING = {0: 0x21, 1: 0x22}  # RFC 2435 types: 4:2:2 and 4:2:0, horizontal and vertical factors of luma
_TABLE = 64

# Annex K.1 in zigzag order, as RFC 2435 appendix A has them.
_LUMA = bytes.fromhex(
    "100b0c0e0c0a100e0d0e1211101318281a181616183123251d283a333d3c3933"
    "383740485c4e404457453738506d51575f626768673e4d71797064785c656763"
)
_CHROMA = bytes((17, 18, 18, 24, 21, 24, 47, 26, 26, 47, 99, 66, 56, 66)) + bytes((99,)) * 50

# Annex K.3: the tables every decoder of RFC 2435 must assume. DC and AC of luma, then of chroma.
HUFFMAN = bytes.fromhex(
    "ffc401a2"
    "0000010501010101010100000000000000000102030405060708090a0b"
    "100002010303020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f0"
    "2433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a"
    "737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7"
    "c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    "0100030101010101010101010000000000000102030405060708090a0b"
    "1100020102040403040705040400010277000102031104052131061241510761711322328108144291a1b1c109233352f0"
    "156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a63646566676869"
    "6a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5"
    "c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)


@functools.lru_cache(maxsize=128)
def tables_of(quality: int) -> tuple[bytes, ...]:
    """The quantisation tables of Q 1 to 99 (RFC 2435 section 4.2); none for reserved values."""
    if not 1 <= quality <= 99:
        return ()
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(
        bytes(min(255, max(1, (value * factor + 50) // 100)) for value in table) for table in (_LUMA, _CHROMA)
    )


def split_tables(data: bytes, precision: int) -> tuple[bytes, ...]:
    """Tables as they lie one after the other; bit n of ``precision`` says that table n has 16-bit values."""
    tables: list[bytes] = []
    while data and len(tables) < 4:
        size = 2 * _TABLE if precision >> len(tables) & 1 else _TABLE
        if len(data) < size:
            return ()
        tables.append(data[:size])
        data = data[size:]
    return tuple(tables)


def table_segment(tables: tuple[bytes, ...]) -> bytes:
    """The DQT segment of luma and chroma tables (one for both will do); empty without any."""
    if not tables:
        return b""
    body = b""
    for number, table in enumerate((tables[0], tables[1] if len(tables) > 1 else tables[0])):
        body += bytes((number | (0x10 if len(table) > _TABLE else 0),)) + table
    return segment(DQT, body)


def frame_header(kind: int, width: int, height: int) -> bytes:
    """The SOF0 segment; empty for a kind of picture that RFC 2435 does not define, or one without size."""
    sampling = _SAMPLING.get(kind)
    if sampling is None or not width or not height:
        return b""
    return segment(SOF0, struct.pack(">BHHB9B", 8, height, width, 3, 1, sampling, 0, 2, 0x11, 1, 3, 0x11, 1))


def file_header(tables_and_frame: bytes, interval: int, huffman: list[bytes]) -> bytes:
    """All of a file before its scan. ``interval`` is that of restart markers, 0 for none."""
    restarts = segment(DRI, struct.pack(">H", interval)) if interval else b""
    codes = b"".join(huffman) if huffman else HUFFMAN
    return START + _JFIF + restarts + tables_and_frame + codes + _SCAN


def segment(marker: int, body: bytes) -> bytes:
    """One marker segment."""
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def segments(data: bytes) -> dict[int, list[bytes]]:
    """Whole segments up to the scan, by marker; what is cut or senseless ends the search."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1  # fill bytes
        elif marker == 0xD8:
            at += 2
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == SOS or end > len(data) or end < at + 4:
                break
            found.setdefault(marker, []).append(data[at:end])
            at = end
    return found


def size_of(frame: bytes) -> tuple[int, int]:
    """(width, height) an SOF0 segment states; ValueError when it is none."""
    if len(frame) < 9 or frame[:2] != b"\xff\xc0":
        raise ValueError("this is not a frame header")
    height, width = struct.unpack_from(">HH", frame, 5)
    if not width or not height:
        raise ValueError("the picture has no size")
    return width, height
