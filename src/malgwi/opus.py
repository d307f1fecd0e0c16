"""Ogg/Opus that is the same bytes for the same samples.

libsndfile draws the serial number of a stream from the clock, so two encodings of the same speech
differ. Here the number is set, and the checksum of every page made anew.

Source: RFC 3533, section 6 (the page header), and RFC 7845 (Opus in Ogg).
"""

import io
import struct

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[np.float32]


def encode_opus(samples: Samples, *, sample_rate_hz: int, serial: int, compression: float) -> bytes:
    """Mono samples [N] as an Ogg/Opus file.

    Args:
        samples: About ±1.
        sample_rate_hz: One that Opus knows: 8, 12, 16, 24 or 48 kHz.
        serial: The number of the stream, 0 … 2³² − 1.
        compression: libsndfile's level: 0 is 256 kbit/s, 0.99 about 9, 1 about 6.
    """
    coded = io.BytesIO()
    soundfile.write(
        coded,
        samples,
        sample_rate_hz,
        format="OGG",
        subtype="OPUS",
        compression_level=compression,
    )
    stream, at = bytearray(coded.getvalue()), 0
    while at < len(stream):
        segments = stream[at + 26]
        end = at + 27 + segments + sum(stream[at + 27 : at + 27 + segments])
        stream[at + 14 : at + 18] = struct.pack("<I", serial)
        stream[at + 22 : at + 26] = bytes(4)
        stream[at + 22 : at + 26] = struct.pack("<I", _ogg_checksum(stream[at:end]))
        at = end
    return bytes(stream)


def _ogg_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


_OGG_TABLE = _ogg_table()


def _ogg_checksum(page: bytes | bytearray) -> int:
    value = 0
    for byte in page:
        value = (value << 8 & 0xFFFFFFFF) ^ _OGG_TABLE[value >> 24 ^ byte]
    return value
