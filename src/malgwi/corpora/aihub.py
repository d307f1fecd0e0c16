"""AI Hub's newer speech sets: JSON labels, beside the audio or in a tree of their own.

Source: AI Hub (National Information Society Agency), https://aihub.or.kr, each set by its number:
    571 저음질 전화망 음성인식 (low-quality telephone, 8 kHz) and others in `PRESETS`.
Licence: AI Hub's terms of use: research and development on application, no passing on.
How to obtain: apply at the set's page, https://aihub.or.kr/aihubdata/data/view.do?dataSetSn=571
    (Korean nationals), download with AI Hub's ``aihubshell`` or a browser, unpack the archives.
Paper: none; each set's page has its description of the labels.

Layout (571)::

    01.데이터/1.Training/라벨링데이터/D03/J11/S001342/S001342.json        labels of a call
    01.데이터/1.Training/원천데이터/D03/J11/S001342/0001.wav              its utterances
    01.데이터/2.Validation/…                                              likewise

Sets differ in the keys of their labels and in what the archives unpack to. The keys are settings,
with presets for what is published; audio is found by name and last folders, wherever it lies
beneath the source (`malgwi.corpora.file_tree`).

The surprising choice: nothing is assumed of the folders' names but Training and Validation, which
become the parts train and dev. Transcripts are kept as found; sets differ in their marks, and in
463 and 464 a dual form is not always in KsponSpeech's order: look before training.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from malgwi.audio import RawFormat
from malgwi.corpora.file_tree import FileTree, files_beneath
from malgwi.corpora.rows import BadRow, Row, read_text
from malgwi.errors import DataError
from malgwi.registry import choose

_AUDIO_ENDINGS = frozenset({".wav", ".pcm", ".raw", ".flac", ".mp3", ".ogg", ".opus", ".m4a"})
_HEADERLESS = frozenset({".pcm", ".raw"})
#: What AI Hub writes where a speaker is not known.
_UNKNOWN = frozenset({"", "none", "null", "알수없음", "알 수 없음"})
#: Folders and archives of the two parts: "1.Training", "TL_D03"; "2.Validation", "VS_D03".
_PARTS = {
    "train": re.compile(r"training|^T[LS]_", re.IGNORECASE),
    "dev": re.compile(r"validation|^V[LS]_", re.IGNORECASE),
    "test": re.compile(r"^(\d+[. _]*)?test(ing)?$", re.IGNORECASE),
}

Preset = Literal["telephone", "consultation", "free_talk", "command", "meeting"]


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Where things stand in a label file: keys joined by dots, numbers for places in lists.

    Attributes:
        utterances: The list of utterances; empty where the whole file is one utterance.
        text: The transcript of an utterance.
        text_file: The name of a file with the transcript, where it is not in the JSON.
        audio: The name of the audio file; empty where it is named like the JSON.
        speaker: Who speaks; empty where nobody says.
        start: Where in the audio the utterance begins, in seconds or h:m:s.
        end: Where it ends.
    """

    utterances: str = ""
    text: str = ""
    text_file: str = ""
    audio: str = ""
    speaker: str = ""
    start: str = ""
    end: str = ""


#: Published layouts, as public loaders of the sets read them, and the sets known to have them.
PRESETS: dict[str, Keys] = {
    # 571 저음질 전화망 음성인식: one JSON a call, one WAV an utterance
    "telephone": Keys(
        utterances="dataSet.dialogs", text="text", audio="audioPath", speaker="speaker"
    ),
    # 100 상담 음성 (KtelSpeech), 71616 고객 응대 음성 (KresSpeech): as 571, texts in files
    "consultation": Keys(
        utterances="dataSet.dialogs", text_file="textPath", audio="audioPath", speaker="speaker"
    ),
    # 107 and 109 자유대화 음성, elderly and general speakers: one JSON an utterance
    "free_talk": Keys(
        text="발화정보.stt", audio="발화정보.fileNm", speaker="녹음자정보.recorderId"
    ),
    # 94, 95 and 96 명령어 음성, elderly, children, general: one JSON an utterance
    "command": Keys(
        text="전사정보.LabelText", audio="파일정보.FileName", speaker="화자정보.SpeakerName"
    ),
    # 463 방송 콘텐츠 대화체, 464 주요 영역별 회의: one long WAV, named like its JSON
    "meeting": Keys(
        utterances="utterance", text="form", speaker="speaker_id", start="start", end="end"
    ),
}


@dataclass(frozen=True, kw_only=True)
class AIHub:
    """AI Hub sets with JSON labels: telephone, consultation, free talk, commands, meetings.

    A key path is dotted, list places are numbers: inputText.0.orgtext. One that begins with a
    slash starts at the top of the file, others at the utterance.

    Attributes:
        preset: Whose key paths to use; by default the one that fits the first label file.
        utterances_key: The list of utterances in a label file, if it holds several: keys joined by
            dots, such as dataSet.dialogs.
        text_key: The transcript in an utterance, such as text or inputText.0.orgtext; a path that
            begins with a slash starts at the top of the file.
        text_file_key: The name of a text file, where the transcript is not in the JSON.
        audio_key: The audio file's name; by default named like the label file.
        speaker_key: The speaker.
        start_key: Where in the audio the utterance begins, in seconds or h:m:s.
        end_key: Where it ends.
        local_speakers: Speakers' names mean something within one label file only.
        part: Only train (Training), dev (Validation) or test.
        audio_root: Where the audio lies, if not beneath the source.
        raw_sample_rate_hz: Rate of headerless 16-bit PCM files.
    """

    preset: Preset | None = None
    utterances_key: str | None = None
    text_key: str | None = None
    text_file_key: str | None = None
    audio_key: str | None = None
    speaker_key: str | None = None
    start_key: str | None = None
    end_key: str | None = None
    local_speakers: bool = False
    part: Literal["train", "dev", "test"] | None = None
    audio_root: Path | None = None
    raw_sample_rate_hz: int | None = None

    def rows(self, source: Path) -> Iterator[Row | BadRow]:
        """The utterances, by label file.

        Raises:
            DataError: No JSON files, or no preset fits the first of them.
        """
        labels = (Path(*place) for place in files_beneath(source, {".json"}))
        first = next(labels, None)
        if first is None:
            raise DataError(f"{source}: holds no JSON files: give the folder of labels and audio")
        keys = self._keys(first)
        root = source if self.audio_root is None else self.audio_root
        audio = FileTree(root, _AUDIO_ENDINGS)
        texts = FileTree(source, {".txt"} if keys.text_file else ())
        for label in chain([first], labels):
            part = part_of(label, source)
            if self.part is None or part == self.part:
                yield from self._label_rows(label, part, keys, audio, texts)

    def _keys(self, first: Path) -> Keys:
        """The preset's key paths, and over them those given."""
        own = {
            field.name: value
            for field in fields(Keys)
            if (value := getattr(self, f"{field.name}_key")) is not None
        }
        if self.preset is not None:
            return replace(choose("AI Hub preset", PRESETS, self.preset), **own)
        if own.get("text") or own.get("text_file"):
            return Keys(**own)
        return replace(_recognised(first), **own)

    def _label_rows(
        self, label: Path, part: str | None, keys: Keys, audio: FileTree, texts: FileTree
    ) -> Iterator[Row | BadRow]:
        try:
            document = json.loads(read_text(label))
            entries = look_up(document, keys.utterances) if keys.utterances else document
        except (json.JSONDecodeError, KeyError, DataError) as error:
            yield _bad(label.stem, label, f"{label.name}: {_said(error)}")
            return
        if entries == []:
            yield _bad(label.stem, label, f"{label.name}: its list of utterances is empty")
        for number, utterance in enumerate(entries if isinstance(entries, list) else [entries], 1):
            entry = _Entry(document=document, utterance=utterance, label=label)
            try:
                yield self._row(entry, part, keys, audio, texts)
            except (LookupError, ValueError, DataError) as error:
                name = f"{label.stem} {number}"
                yield _bad(name, label, f"{label.name}, utterance {number}: {_said(error)}")

    def _row(
        self, entry: "_Entry", part: str | None, keys: Keys, audio: FileTree, texts: FileTree
    ) -> Row:
        wanted = entry.path(keys.audio) if keys.audio else Path(f"{entry.label.stem}.wav")
        path = audio.find(wanted, entry.label) or entry.label.with_name(wanted.name)
        start_s = seconds(entry.value(keys.start)) if keys.start else 0.0
        end_s = seconds(entry.value(keys.end)) if keys.end else None
        name = "-".join(wanted.with_suffix("").parts)
        return Row(
            utterance_id=f"{name}-{round(start_s * 1000):08d}" if keys.start else name,
            path=path,
            text=entry.string(keys.text) if keys.text else _text(entry, keys.text_file, texts),
            speaker=self._speaker(entry, keys),
            start_s=start_s,
            duration_s=None if end_s is None else end_s - start_s,
            raw=self._raw_format(path),
            custom=None if part is None else {"part": part},
        )

    def _speaker(self, entry: "_Entry", keys: Keys) -> str | None:
        name = entry.string(keys.speaker).strip() if keys.speaker else ""
        if name.lower() in _UNKNOWN:
            return None
        return f"{entry.label.stem}-{name}" if self.local_speakers else name

    def _raw_format(self, path: Path) -> RawFormat | None:
        if path.suffix.lower() not in _HEADERLESS:
            return None
        if self.raw_sample_rate_hz is None:
            raise DataError(f"{path}: has no header: give its rate with --raw-sample-rate-hz")
        return RawFormat(sample_rate_hz=self.raw_sample_rate_hz)


def part_of(path: Path, source: Path) -> str | None:
    """train, dev or test by the innermost folder that says so, the source's own being the last.

    >>> part_of(Path("set/1.Training/라벨링데이터/TL_D03/a.json"), Path("set"))
    'train'
    >>> part_of(Path("2.Validation/a.json"), Path("2.Validation"))
    'dev'
    """
    names = [*reversed(path.relative_to(source).parts[:-1]), source.name]
    return next(
        (part for name in names for part, pattern in _PARTS.items() if pattern.search(name)), None
    )


def look_up(document: Any, keys: str) -> Any:
    """The value at a dotted path.

    Raises:
        KeyError: Nothing there; the message names the first key that is missing and its neighbours.

    >>> look_up({"info": [{"id": 7}]}, "info.0.id")
    7
    """
    value = document
    for key in keys.split("."):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            there = ", ".join(map(str, value)) if isinstance(value, Mapping) else repr(value)
            raise KeyError(f"no {key!r} (of {keys!r}) in {there[:80]}")
    return value


def seconds(value: object) -> float:
    """A time in seconds: a number, its digits, or hours, minutes and seconds with colons.

    Raises:
        ValueError: None of these.

    >>> seconds("12.5"), seconds("00:01:02.500")
    (12.5, 62.5)
    """
    total = 0.0
    for field in str(value).split(":"):
        total = total * 60 + float(field)
    return total


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One utterance within its label file."""

    document: Any
    utterance: Any
    label: Path

    def value(self, keys: str) -> Any:
        if keys.startswith("/"):
            return look_up(self.document, keys[1:])
        return look_up(self.utterance, keys)

    def string(self, keys: str) -> str:
        value = self.value(keys)
        return "" if value is None else str(value)

    def path(self, keys: str) -> Path:
        """A path as the label says it: with either slash, perhaps from a root that is not ours."""
        return Path(self.string(keys).strip().replace("\\", "/").lstrip("/"))


def _text(entry: _Entry, keys: str, texts: FileTree) -> str:
    """The transcript from the file that the label names.

    Raises:
        LookupError: There is none.
    """
    path = texts.find(entry.path(keys), entry.label)
    if path is None:
        raise LookupError(f"no text file {entry.path(keys)}")
    return read_text(path)


def _recognised(label: Path) -> Keys:
    """The first preset whose transcript stands in the file."""
    try:
        document = json.loads(read_text(label))
    except json.JSONDecodeError as error:
        raise DataError(f"{label}: not JSON: {error}") from error
    for keys in PRESETS.values():
        try:
            entries = look_up(document, keys.utterances) if keys.utterances else document
            look_up(
                entries[0] if isinstance(entries, list) else entries, keys.text or keys.text_file
            )
        except (KeyError, IndexError):
            continue
        return keys
    raise DataError(
        f"{label}: none of the presets {', '.join(get_args(Preset))} fits; name where the "
        "transcript stands in it with --text-key, such as 발화정보.stt"
    )


def _said(error: Exception) -> str:
    """An error's own words; KeyError would put them in quotes."""
    return str(error.args[0]) if error.args else repr(error)


def _bad(utterance_id: str, label: Path, detail: str) -> BadRow:
    return BadRow(utterance_id=utterance_id, path=str(label), reason="malformed row", detail=detail)
