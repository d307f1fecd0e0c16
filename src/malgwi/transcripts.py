"""Texts by utterance id, as any recogniser may write them, and what else is known of utterances.

A file holds ``ID<TAB>TEXT`` lines or JSON objects with ``id`` and ``text``. It is read a line at a
time, since such files have a million lines. What utterances belong to (speaker, script, channel)
comes from a manifest, from further keys of the JSON objects, or from a file of its own.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from malgwi.errors import ConfigError, DataError
from malgwi.text.scripts import script

#: What utterances are grouped by if nothing else is asked for.
USUAL = ("speaker", "script")


def read_texts(path: Path, like: Iterable[str] = ()) -> dict[str, str]:
    """id → text of a file of ``ID<TAB>TEXT`` lines or of JSON objects with ``id`` and ``text``.

    JSON lines are known by the name (.jsonl) or by a first line that begins with ``{``. Lines
    without any character are passed over.

    Args:
        path: The file.
        like: Ids of another file. Where this one has them in the same order, both share them in
            memory, which a million utterances feel.

    Raises:
        DataError: No such file, not UTF-8, or a line that is malformed or repeats an id; the
            message gives its number.
    """
    texts: dict[str, str] = {}
    expected = iter(like)
    parse: Callable[[str, str], tuple[str, str]] | None = None
    for number, line in _lines(path):
        if parse is None:
            parse = _from_json if _is_json(path, line) else _from_tsv
        name, text = parse(line, f"{path}, line {number}")
        if name in texts:
            raise DataError(
                f"{path}, line {number}: the id {name!r} already stands in line "
                f"{_line_of(path, name, parse)}: each utterance needs an id of its own"
            )
        other = next(expected, name)
        texts[other if other == name else name] = text
    return texts


def clusters(
    references: Mapping[str, str],
    *,
    ref: Path | None = None,
    manifest: Path | None = None,
    speakers: Path | None = None,
    by: Sequence[str] | None = None,
) -> dict[str, list[int]]:
    """What each utterance belongs to, by every kind that is known or asked for.

    Args:
        references: id → text; scripts are made of them.
        ref: The file they are from, whose JSON objects may have more keys.
        manifest: Lhotse cuts; speaker, channel, and custom facts by name.
        speakers: ``ID<TAB>SPEAKER`` lines.
        by: Kinds; None for speaker and script as far as they are known.

    Returns:
        kind → a number for the cluster of each utterance, in the order of ``references``.

    Raises:
        ConfigError: A kind that was asked for is nowhere to be found.
        DataError: An utterance without one, or a file that cannot be read.
    """
    wanted = USUAL if by is None else tuple(dict.fromkeys(by))
    found = stated(references, wanted, ref=ref, manifest=manifest, speakers=speakers)
    chosen = {}
    for kind in wanted:
        if kind == "script":
            chosen[kind] = _numbered(script(text) for text in references.values())
        elif kind in found:
            chosen[kind] = _complete(kind, found[kind], references, manifest, speakers)
        elif by is not None:
            raise ConfigError(
                f"--by {kind}: nothing says the {kind} of the utterances. Known are "
                f"{', '.join(sorted({*found, 'script'}))}; --manifest, --speakers or keys of a "
                "JSON-lines reference say more"
            )
    return chosen


def stated(
    references: Mapping[str, str],
    kinds: Sequence[str],
    *,
    ref: Path | None = None,
    manifest: Path | None = None,
    speakers: Path | None = None,
) -> dict[str, dict[str, str]]:
    """kind → id → what files say of it; what stands later in the signature overrules.

    Raises:
        DataError: A file that cannot be read, or a manifest of none of these utterances.
    """
    found: dict[str, dict[str, str]] = {}
    if ref is not None:
        found |= _from_json_keys(ref, kinds)
    if manifest is not None:
        found |= _from_manifest(manifest, references, kinds)
    if speakers is not None:
        found["speaker"] = read_texts(speakers, references)
    return found


def _complete(
    kind: str,
    found: Mapping[str, str],
    references: Mapping[str, str],
    manifest: Path | None,
    speakers: Path | None,
) -> list[int]:
    unknown = [name for name in references if name not in found]
    if unknown:
        source = speakers if kind == "speaker" and speakers is not None else manifest
        remedy = (
            "--speakers needs a line ID<TAB>SPEAKER for each"
            if source is not None and source == speakers
            else f"{source or 'the reference'} must say it of each, or leave {kind} out of --by"
        )
        raise DataError(
            f"{len(unknown)} of {len(references)} utterances have no {kind}, the first is "
            f"{unknown[0]!r}: {remedy}"
        )
    return _numbered(found[name] for name in references)


def _numbered(names: Iterable[str]) -> list[int]:
    """The same number for the same name: a million texts need not be kept."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]


def _from_manifest(
    path: Path, references: Mapping[str, str], kinds: Sequence[str]
) -> dict[str, dict[str, str]]:
    from malgwi import manifest  # Lhotse takes a second, which --help should not

    found: dict[str, dict[str, str]] = {}
    known = False
    for facts in manifest.facts(path):
        if facts.id not in references:
            continue
        known = True
        values = {"channel": facts.channel, **facts.custom, "speaker": facts.speaker}
        for kind in kinds:
            if (value := values.get(kind)) is not None:
                found.setdefault(kind, {})[facts.id] = str(value)
    if references and not known:
        raise DataError(
            f"{path} has none of the {len(references)} utterances, such as "
            f"{next(iter(references))!r}: give the manifest of these references, or leave it out"
        )
    return found


def _from_json_keys(path: Path, kinds: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    known_as_json = False
    for _, line in _lines(path):
        if not (known_as_json := known_as_json or _is_json(path, line)):
            break
        record = json.loads(line)
        for kind in kinds:
            if record.get(kind) is not None:
                found.setdefault(kind, {})[record["id"].strip()] = str(record[kind])
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines with a character in them; only a line feed ends one."""
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\n")
                if line.strip("\r "):
                    yield number, line
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is not UTF-8 (line {number}): convert it, e.g. iconv -f cp949 -t utf-8"
        ) from None


def _is_json(path: Path, first_line: str) -> bool:
    return path.suffix == ".jsonl" or first_line.startswith("{")


def _line_of(path: Path, name: str, parse: Callable[[str, str], tuple[str, str]]) -> int:
    """The first line of an id; looked up only when it stands there twice."""
    return next(number for number, line in _lines(path) if parse(line, "")[0] == name)


def _from_tsv(line: str, place: str) -> tuple[str, str]:
    name, *texts = line.rstrip("\r").split("\t")
    if len(texts) != 1:
        raise DataError(
            f"{place}: expected ID<TAB>TEXT, found {len(texts)} tabs in {line[:80]!r}; an empty "
            "text still needs its tab"
        )
    if not name.strip():
        raise DataError(f"{place}: the id before the tab is empty")
    if (name.lower(), texts[0].lower()) == ("id", "text"):
        raise DataError(f"{place} looks like a header: remove it, the files have none")
    return name.strip(), texts[0]


def _from_json(line: str, place: str) -> tuple[str, str]:
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not a JSON object ({error.msg}): {line[:80]!r}") from None
    if not isinstance(record, dict):
        raise DataError(f'{place}: expected an object with "id" and "text", found {line[:80]!r}')
    for key in ("id", "text"):
        if not isinstance(record.get(key), str):
            raise DataError(f'{place}: "{key}" must be a string, found {record.get(key)!r}')
    if not record["id"].strip():
        raise DataError(f"{place}: the id is empty")
    return record["id"].strip(), record["text"]
