"""Any CSV or TSV file that names audio files and their texts: the way in for data of one's own.

Source, licence, how to obtain: the reader's own recordings, or a corpus that ships a table.
Paper: none; RFC 4180 describes CSV, and most tables follow some of it.

Recognised without being told: the delimiter (tab, comma, semicolon or bar, by the header), the
encoding (UTF-8, UTF-16 or cp949), and the columns by their usual names (path, text, speaker, id).

The surprising choice: in a table with tabs a quotation mark is text, unless it encloses a whole
field; in all others it quotes as in CSV. Transcripts in TSV begin with stray quotation marks.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from malgwi.audio import RawFormat
from malgwi.corpora.rows import BadRow, Row, read_text
from malgwi.errors import DataError

#: The usual names of columns, in order of preference; case does not matter.
_USUAL = {
    "path": (
        "path",
        "audio",
        "audio_path",
        "audio_filepath",
        "file",
        "file_name",
        "filename",
        "wav",
    ),
    "text": ("text", "sentence", "transcript", "transcription", "label"),
    "speaker": ("speaker", "speaker_id", "client_id", "spk", "spk_id"),
    "id": ("id", "utterance_id", "utt_id", "key"),
}
_DELIMITERS = "\t,;|"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A CSV or TSV table with any column names; the way in for your own recordings.

    Attributes:
        path_column: Audio files, relative to the table's folder; by default path, audio, file …
        text_column: Transcripts; by default text, sentence, transcript …
        speaker_column: Speakers; by default speaker, speaker_id, client_id …, if there.
        id_column: Names of utterances; by default id …, if there, else made from the path.
        start_column: Where in its file an utterance begins, in seconds.
        duration_column: How long it lasts, in seconds.
        channel_column: Which channel of its file holds it, counted from 0.
        columns: The names of all columns, for a table without a header.
        delimiter: What separates columns; by default recognised by the header; "tab" is a tab.
        encoding: By default recognised: utf-8, utf-16 or cp949.
        audio_root: What audio paths are relative to, where it is not the table's folder.
        raw_sample_rate_hz: Rate of headerless PCM files; give it only if they have no header.
        raw_bytes_per_sample: Their width; little-endian.
        raw_channels: Their channels.
    """

    path_column: str | None = None
    text_column: str | None = None
    speaker_column: str | None = None
    id_column: str | None = None
    start_column: str | None = None
    duration_column: str | None = None
    channel_column: str | None = None
    columns: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None
    audio_root: Path | None = None
    raw_sample_rate_hz: int | None = None
    raw_bytes_per_sample: int = 2
    raw_channels: int = 1

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, in the table's order.

        Raises:
            DataError: No such table, no delimiter in its header, or a column that is not there.
        """
        records = _records(read_text(source, self.encoding), self.delimiter, source)
        header = list(self.columns) or [name.strip() for name in next(records, (1, []))[1]]
        places = self._places(header, source)
        for number, fields in records:
            if len(fields) != len(header):
                yield BadRow(
                    utterance_id=f"line {number}",
                    path="",
                    reason="malformed row",
                    detail=f"line {number}: {len(fields)} fields, the header has {len(header)}",
                )
                continue
            values = {role: fields[place].strip() for role, place in places.items()}
            yield self._row(values, number, self.audio_root or source.parent)

    def _places(self, header: Sequence[str], source: Path) -> dict[str, int]:
        """Role → position of its column."""
        asked = {
            "path": self.path_column,
            "text": self.text_column,
            "speaker": self.speaker_column,
            "id": self.id_column,
            "start": self.start_column,
            "duration": self.duration_column,
            "channel": self.channel_column,
        }
        lower = [name.lower() for name in header]
        places = {}
        for role, name in asked.items():
            wanted = _USUAL.get(role, ()) if name is None else (name.lower(),)
            found = next((lower.index(n) for n in wanted if n in lower), None)
            if found is not None:
                places[role] = found
            elif name is not None or role in {"path", "text"}:
                raise DataError(_no_column(source, role, name, header))
        return places

    def _row(self, values: dict[str, str], number: int, root: Path) -> Row | BadRow:
        path = root / values["path"]
        utterance_id = values.get("id") or _name(values["path"])
        try:
            start_s = float(values.get("start") or 0.0)
            duration_s = float(values["duration"]) if values.get("duration") else None
            channel = int(values["channel"]) if values.get("channel") else None
        except ValueError as error:
            detail = f"line {number}: {error}"
            return BadRow(
                utterance_id=utterance_id, path=str(path), reason="malformed row", detail=detail
            )
        if "start" in values and not values.get("id"):
            utterance_id += f"-{round(start_s * 1000):08d}"
        if channel is not None and not values.get("id"):
            utterance_id += f"-{channel}"
        return Row(
            utterance_id=utterance_id,
            path=path,
            text=values["text"],
            speaker=values.get("speaker") or None,
            start_s=start_s,
            duration_s=duration_s,
            channel=channel,
            raw=self._raw_format(),
        )

    def _raw_format(self) -> RawFormat | None:
        if self.raw_sample_rate_hz is None:
            return None
        return RawFormat(
            sample_rate_hz=self.raw_sample_rate_hz,
            bytes_per_sample=self.raw_bytes_per_sample,
            channels=self.raw_channels,
        )


def _records(text: str, delimiter: str | None, source: Path) -> Iterator[tuple[int, list[str]]]:
    """Numbered records that are not blank, each a list of fields."""
    first = next((line for line in io.StringIO(text) if line.strip()), None)
    if first is None:
        raise DataError(f"{source}: is empty")
    delimiter = (
        _sniff(first, source) if delimiter is None else {"tab": "\t"}.get(delimiter, delimiter)
    )
    if delimiter in {"tab", "\t"}:
        yield from _tab_records(text)
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for fields in reader:
            if any(fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise DataError(
            f"{source}, line {reader.line_num}: {error}: a quotation mark that opens a field has "
            "no partner"
        ) from error


def _tab_records(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if line.strip():
            yield number, [_unquoted(field) for field in line.split("\t")]


def _unquoted(field: str) -> str:
    """A field without the quotes around it, if they enclose the whole of it.

    >>> _unquoted('"그는 ""네""라고 했다"'), _unquoted('"네" 하고 "아니요"')
    ('그는 "네"라고 했다', '"네" 하고 "아니요"')
    """
    inner = field[1:-1]
    enclosed = len(field) > 1 and field[0] == field[-1] == '"'
    return inner.replace('""', '"') if enclosed and '"' not in inner.replace('""', "") else field


def _sniff(header: str, source: Path) -> str:
    """The delimiter that occurs most in the header; a tab wins a draw."""
    best = max(_DELIMITERS, key=header.count)
    if not header.count(best):
        raise DataError(
            f"{source}: its first line has no tab, comma, semicolon or bar: {header.strip()!r}; "
            "a table needs a path and a text column"
        )
    return best


def _no_column(source: Path, role: str, name: str | None, header: Iterable[str]) -> str:
    there = ", ".join(header)
    if name is None:
        usual = ", ".join(_USUAL[role])
        return (
            f"{source}: no column is named {usual}; name yours with --{role}-column. "
            f"Columns there: {there}"
        )
    near = get_close_matches(name, list(header), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{source}: has no column {name!r} for --{role}-column{hint} Columns there: {there}"


def _name(path: str) -> str:
    """An id from an audio path: ``a/b.wav`` → ``a-b``; of an absolute path only the last part."""
    bare = Path(path).with_suffix("")
    return bare.name if bare.is_absolute() else "-".join(p for p in bare.parts if p != "..")
