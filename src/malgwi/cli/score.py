"""``malgwi score``: any recogniser's output against the truth, with its counting said aloud.

Starts fast and needs no torch: it is meant for the output of other systems too.
"""

import json as json_format
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, get_args

import tyro
from rich import box
from rich.console import Console
from rich.table import Table

from malgwi.errors import ConfigError, DataError
from malgwi.metrics.confidence import BootstrapConfig, interval
from malgwi.metrics.error_rate import TITLES, Scores, score
from malgwi.text.normalize import VERSION, NormalizerConfig

#: field → its values
_POLICIES = {field.name: get_args(field.type) for field in fields(NormalizerConfig)}
#: The settings that change least; ``--normalize FIELD=VALUE`` starts from them.
KEEP = NormalizerConfig.from_dict(
    {name: "keep" for name, known in _POLICIES.items() if "keep" in known}
)


def main(
    *,
    ref: Path,
    hyp: Path,
    json: tyro.conf.FlagCreatePairsOff[bool] = False,
    normalize: Annotated[
        tuple[str, ...] | None, tyro.conf.arg(metavar="[default] [FIELD=VALUE ...]")
    ] = None,
    speakers: Path | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> None:
    """Score hypotheses against references: character, word and match error rates.

    Files hold one utterance a line, ID<TAB>TEXT, or JSON lines with "id" and "text". The ids of
    both must be the same; an utterance where nothing was recognised has an empty text. Without
    --normalize nothing is changed but Unicode form (NFC) and white space, so punctuation counts.

    For example, each on one line:

        malgwi score --ref truth.tsv --hyp system.tsv

        malgwi score --ref truth.jsonl --hyp system.jsonl --json

        malgwi score --ref truth.tsv --hyp system.tsv --normalize punctuation=drop digits=hangul

    Args:
        ref: What was said.
        hyp: What was recognised.
        json: Print one JSON object instead of a table.
        normalize: Pass both sides through the text normaliser: FIELD=VALUE changes that policy
            and keeps everything else; "default" starts from the policies of training instead.
        speakers: ID<TAB>SPEAKER, as for ref: intervals then resample speakers, not utterances.
        resamples: Test sets drawn for the 95 % intervals.
        seed: Of those draws.
    """
    references, hypotheses = read_texts(ref), read_texts(hyp)
    if not references:
        raise DataError(f"{ref} holds no utterance: there is nothing to score")
    names = None if speakers is None else read_texts(speakers)
    scores = score(references, hypotheses, normalizer_of(normalize))
    if json:
        print(json_format.dumps(scores.to_dict(), ensure_ascii=False, indent=2, allow_nan=False))
        return
    clusters = None if names is None else _speakers_of(references, names)
    config = BootstrapConfig(resamples=resamples, seed=seed)
    console = Console(highlight=False)
    console.print(_table(scores, clusters, config))
    console.print(_summary(scores, references, clusters), markup=False)


def read_texts(path: Path) -> dict[str, str]:
    """id → text of a file of ``ID<TAB>TEXT`` lines or of JSON objects with ``id`` and ``text``.

    JSON lines are known by the name (.jsonl) or by a first line that begins with ``{``. Lines
    without any character are passed over.

    Raises:
        DataError: No such file, not UTF-8, or a line that is malformed or repeats an id; the
            message gives its number.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {error.start}): convert it, e.g. iconv -f cp949 -t utf-8"
        ) from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip("\r\n ")]
    is_json = path.suffix == ".jsonl" or (bool(numbered) and numbered[0][1].startswith("{"))
    parse = _from_json if is_json else _from_tsv
    texts: dict[str, str] = {}
    first_seen: dict[str, int] = {}
    for number, line in numbered:
        name, text = parse(line, f"{path}, line {number}")
        if name in texts:
            raise DataError(
                f"{path}, line {number}: the id {name!r} already stands in line "
                f"{first_seen[name]}: each utterance needs an id of its own"
            )
        texts[name], first_seen[name] = text, number
    return texts


def normalizer_of(words: Sequence[str] | None) -> NormalizerConfig | None:
    """What ``--normalize`` asks for.

    Raises:
        ConfigError: An unknown field or value.

    >>> normalizer_of(None) is None, normalizer_of(["default"]) == NormalizerConfig()
    (True, True)
    >>> normalizer_of(["case=lower"]).case, normalizer_of(["case=lower"]).punctuation
    ('lower', 'keep')
    """
    if words is None:
        return None
    from_default = not words or "default" in words
    settings: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word == "default":
            continue
        if not equals or name not in _POLICIES:
            raise ConfigError(_unknown_setting(word, name))
        settings[name] = value
    base = NormalizerConfig() if from_default else KEEP
    return NormalizerConfig.from_dict({**asdict(base), **settings})


def _unknown_setting(word: str, name: str) -> str:
    near = get_close_matches(name, _POLICIES, n=1)
    hint = f"did you mean {near[0]}={'|'.join(_POLICIES[near[0]])}? " if near else ""
    return (
        f"--normalize {word}: {hint}Give 'default', or FIELD=VALUE with a FIELD of "
        f"{', '.join(_POLICIES)}"
    )


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
        record = json_format.loads(line)
    except json_format.JSONDecodeError as error:
        raise DataError(f"{place}: not a JSON object ({error.msg}): {line[:80]!r}") from None
    if not isinstance(record, dict):
        raise DataError(f'{place}: expected an object with "id" and "text", found {line[:80]!r}')
    for key in ("id", "text"):
        if not isinstance(record.get(key), str):
            raise DataError(f'{place}: "{key}" must be a string, found {record.get(key)!r}')
    if not record["id"].strip():
        raise DataError(f"{place}: the id is empty")
    return record["id"].strip(), record["text"]


def _speakers_of(references: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    unknown = [name for name in references if name not in names]
    if unknown:
        raise DataError(
            f"{len(unknown)} of {len(references)} utterances have no speaker, the first is "
            f"{unknown[0]!r}: --speakers needs a line ID<TAB>SPEAKER for each"
        )
    return [names[name] for name in references]


def _table(scores: Scores, clusters: Sequence[str] | None, config: BootstrapConfig) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for heading in ("rate", f"{config.level:.0%} interval", "hits", "sub", "del", "ins", "ref"):
        table.add_column(heading, justify="right")
    for metric, rate in scores.corpus.by_name().items():
        found = interval(scores.of(metric), clusters, config)
        bounds = "–" if math.isnan(found.low) else f"{100 * found.low:.2f} – {100 * found.high:.2f}"
        counts = (rate.hits, rate.substitutions, rate.deletions, rate.insertions, rate.reference)
        shown = f"{100 * rate.rate:.2f} %" if rate.denominator else "none"
        table.add_row(TITLES[metric], shown, bounds, *(f"{count:,}" for count in counts))
    return table


def _summary(scores: Scores, references: Mapping[str, str], clusters: Sequence[str] | None) -> str:
    """How it was counted, in lines under the table."""
    record = scores.to_dict()
    empty = sum(not text.strip() for text in references.values())
    settings = record["counting"]["normalizer"]["settings"]
    applied = (
        "none"
        if settings is None
        else f"version {VERSION}, "
        + ", ".join(f"{name}={value}" for name, value in settings.items())
    )
    crr = "none" if record["crr"] is None else f"{record['crr']:.2f}"
    unit = "utterances" if clusters is None else f"{len(set(clusters))} speakers"
    lines = [
        f"CRR {crr} = (1 − CER without spaces) · 100",
        f"{len(references):,} utterances{f', {empty} with an empty reference' if empty else ''}; "
        f"intervals by bootstrap over {unit}",
        f"counted over the corpus, NFC, white space collapsed; normaliser: {applied}",
    ]
    return "\n".join(lines)
