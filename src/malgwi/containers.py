"""What the bytes of an audio file claim: which container it is, and whether it is all there.

libsndfile reads a WAV or Ogg file that was cut short without a word, and would read a WAV header
as samples if told that the file is headerless. So the claims are checked first, on the few bytes
that make them. FLAC and MP3 need nothing here: their decoders find fewer samples than promised.

RIFF: Microsoft, Multimedia Programming Interface 1.0. Ogg pages: RFC 3533, section 6.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from malgwi.errors import AudioError

#: How the containers that libsndfile knows begin.
_SOUNDFILE_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"OggS", b"fLaC", b"ID3", b"FORM", b"caff", b".snd")
_MATROSKA, _AMR, _ASF = b"\x1a\x45\xdf\xa3", b"#!AMR", b"\x30\x26\xb2\x75"
_ADTS = (b"\xff\xf1", b"\xff\xf9")
#: A WAV written to a pipe cannot know its length: 0, or "very long".
_UNKNOWN_LENGTH = 0x7FFF0000
#: An Ogg page is at most 65,307 bytes, so the last one begins within these.
_LAST_PAGE = 65_307


@dataclass(frozen=True)
class Claims:
    """A file's first bytes, its size, and a name for messages."""

    name: str
    head: bytes
    size: int

    @property
    def has_header(self) -> bool:
        """Whether this begins as an audio container does: not headerless PCM."""
        return self.head.startswith(_SOUNDFILE_MAGIC) or self.needs_av

    @property
    def needs_av(self) -> bool:
        """MP4 (m4a), Matroska/WebM, AMR, ASF or AAC: containers that libsndfile does not open."""
        starts = self.head.startswith((_MATROSKA, _AMR, _ASF, *_ADTS))
        return starts or self.head[4:8] == b"ftyp"


def name_of(source: str | Path | bytes) -> str:
    """How messages call a source.

    >>> name_of(b"RIFF"), name_of("a.wav")
    ('4 bytes of audio', 'a.wav')
    """
    return f"{len(source)} bytes of audio" if isinstance(source, bytes) else str(source)


def inspect(source: str | Path | bytes) -> Claims:
    """Look at a source's first bytes.

    Raises:
        AudioError: There is no such file, it cannot be opened, or it is empty.
    """
    if isinstance(source, bytes):
        claims = Claims(name_of(source), source[:64], len(source))
    else:
        path = Path(source)
        if not path.is_file():
            raise AudioError(f"{path}: no such audio file")
        try:
            with path.open("rb") as file:
                claims = Claims(str(path), file.read(64), path.stat().st_size)
        except OSError as error:
            raise AudioError(f"{path}: cannot be opened: {error.strerror}") from error
    if not claims.size:
        raise AudioError(f"{claims.name}: is empty")
    return claims


def check_complete(claims: Claims, file: BinaryIO) -> None:
    """Refuse a WAV or Ogg file that ends before its content does.

    Raises:
        AudioError: The file is truncated; the message says how much is there.
    """
    if claims.head.startswith((b"RIFF", b"RIFX")):
        _check_wav(claims, file)
    elif claims.head.startswith(b"OggS"):
        _check_ogg(claims, file)


def _check_wav(claims: Claims, file: BinaryIO) -> None:
    """The data chunk must hold as many bytes as it says."""
    size_format = ">I" if claims.head.startswith(b"RIFX") else "<I"
    position = 12
    while position + 8 <= claims.size:
        file.seek(position)
        chunk = file.read(8)
        (length,) = struct.unpack(size_format, chunk[4:])
        position += 8
        if chunk[:4] == b"data":
            there = claims.size - position
            if 0 < length < _UNKNOWN_LENGTH and there < length:
                raise AudioError(
                    f"{claims.name}: truncated: its header promises {length:,} bytes of samples, "
                    f"{there:,} are there"
                )
            return
        position += length + length % 2
    raise AudioError(f"{claims.name}: truncated or damaged: a WAV file without a data chunk")


def _check_ogg(claims: Claims, file: BinaryIO) -> None:
    """The last page must be whole and marked as the end of its stream."""
    file.seek(max(0, claims.size - _LAST_PAGE))
    tail = file.read()
    start = tail.rfind(b"OggS")
    page = tail[start:]
    if start < 0 or len(page) < 27:
        raise AudioError(f"{claims.name}: truncated: the last Ogg page is not whole")
    segments = page[26]
    length = 27 + segments + sum(page[27 : 27 + segments])
    if len(page) < length:
        raise AudioError(f"{claims.name}: truncated: the last Ogg page is not whole")
    if not page[5] & 4:
        raise AudioError(f"{claims.name}: truncated: the Ogg stream has no end-of-stream page")
