"""From a line of text to the units that a language model counts, and how that is recorded.

A language model helps a recogniser only if both cut text alike: same normaliser, same units, the
same opinion on spaces. So the settings travel in the model's file, and `differences` names what
does not agree before a search adds up numbers that do not belong together.

A space, where it is kept, is written ▁ (U+2581), since ARPA files part words by white space.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from malgwi.errors import ConfigError
from malgwi.text import hangul
from malgwi.text.normalize import NormalizerConfig, normalize
from malgwi.tokenizers import canonical
from malgwi.types import Tokenizer

UNKNOWN, START, END = "<unk>", "<s>", "</s>"
SPACE = "▁"
#: What others write for a space in character models.
SPACE_ALIASES = (SPACE, "<space>", "|")

Units = Literal["syllable", "jamo", "subword"]


@dataclass(frozen=True, kw_only=True)
class TextSettings:
    """How text was cut before it was counted.

    Attributes:
        units: ``syllable``: characters; ``jamo``: letters by NFD; ``subword``: a tokenizer's.
        spaces: Whether the space is a unit; otherwise it is left out.
        text: The normaliser's policies.
        tokenizer: Subwords only: `fingerprint` of the tokenizer that cut.
    """

    units: Units = "syllable"
    spaces: bool = False
    text: NormalizerConfig = field(default_factory=NormalizerConfig)
    tokenizer: str = ""

    def __post_init__(self) -> None:
        if self.units not in get_args(Units):
            raise ConfigError(
                f"language model units {self.units!r}: known are {', '.join(get_args(Units))}"
            )

    def to_dict(self) -> dict[str, Any]:
        """A record for JSON."""
        return {**asdict(self), "text": self.text.to_dict()}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "TextSettings":
        """Undo ``to_dict``."""
        return cls(**{**record, "text": NormalizerConfig.from_dict(record["text"])})


def cut(
    lines: Iterable[str], settings: TextSettings, tokenizer: Tokenizer | None = None
) -> Iterator[list[str]]:
    """The units of each line; lines of which the normaliser leaves nothing are left out.

    Args:
        lines: Raw text, one sentence each.
        settings: How to cut.
        tokenizer: Needed for subwords.

    Raises:
        ConfigError: Subwords without a tokenizer, or with another than the settings record.

    >>> list(cut(["말, 귀!", "..."], TextSettings()))
    [['말', '귀']]
    >>> list(cut(["네 가"], TextSettings(units="jamo", spaces=True)))
    [['ᄂ', 'ᅦ', '▁', 'ᄀ', 'ᅡ']]
    """
    names: list[str] = []
    if settings.units == "subword":
        if tokenizer is None or fingerprint(tokenizer) != settings.tokenizer:
            raise ConfigError(
                "subword units need the tokenizer that they come from: name its tokenizer.json "
                "with --tokenizer"
            )
        names = unit_texts(tokenizer)
    for line in lines:
        text = canonical(normalize(line, settings.text), spaces=settings.spaces)
        if settings.units == "subword" and tokenizer is not None:
            units = [names[token] for token in tokenizer.encode(text)]
        else:
            units = _characters(text, jamo=settings.units == "jamo")
        if units:
            yield units


def _characters(text: str, *, jamo: bool) -> list[str]:
    if jamo:
        text = "".join(hangul.to_jamo(ch) if hangul.is_syllable(ch) else ch for ch in text)
    return list(text.replace(" ", SPACE))


def unit_texts(tokenizer: Tokenizer) -> list[str]:
    """For each id the word that stands for it in a language model.

    Start, end and unknown are the customary ``<s>``, ``</s>``, ``<unk>``, and so is the blank.
    Two ids of one text are told apart by their numbers.

    >>> from malgwi.tokenizers import TokenizerConfig, train
    >>> unit_texts(train(["가 나"], TokenizerConfig(spaces=True)))
    ['<unk>', '<s>', '</s>', '<unk>', '▁', '가', '나']
    """
    special = {tokenizer.blank_id: UNKNOWN, tokenizer.start_id: START, tokenizer.end_id: END}
    if tokenizer.unknown_id is not None:
        special[tokenizer.unknown_id] = UNKNOWN
    texts = [special.get(token) or _one(tokenizer, token) for token in range(tokenizer.size)]
    seen: Counter[str] = Counter()
    for token, text in enumerate(texts):
        seen[text] += 1
        if token not in special and (seen[text] > 1 or text in {UNKNOWN, START, END}):
            texts[token] = f"{text}#{token}"
    return texts


def _one(tokenizer: Tokenizer, token: int) -> str:
    """The text of one id; ``decode`` drops a leading space, so it is asked twice."""
    once, twice = tokenizer.decode([token]), tokenizer.decode([token, token])
    if not once.strip():
        return SPACE
    inner = once.replace(" ", SPACE)
    return SPACE + inner if twice == f"{once} {once}" else inner


def units_of(tokenizer: Tokenizer) -> Units:
    """What a language model for this tokenizer counts: all tokenizers of characters cut alike."""
    kind: Units = tokenizer.to_dict()["kind"]
    return kind if kind in ("jamo", "subword") else "syllable"


def settings_for(tokenizer: Tokenizer, text: NormalizerConfig) -> TextSettings:
    """How text is cut for a recogniser with this tokenizer and normaliser."""
    kind = units_of(tokenizer)
    return TextSettings(
        units=kind,
        spaces=bool(tokenizer.to_dict()["spaces"]),
        text=text,
        tokenizer=fingerprint(tokenizer) if kind == "subword" else "",
    )


def fingerprint(tokenizer: Tokenizer) -> str:
    """SHA-256 of a tokenizer's record."""
    record = json.dumps(tokenizer.to_dict(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(record.encode()).hexdigest()


def differences(
    settings: TextSettings, tokenizer: Tokenizer, text: NormalizerConfig | None = None
) -> list[str]:
    """What a recogniser does otherwise than the text of a language model; empty if nothing.

    Args:
        settings: Of the language model.
        tokenizer: Of the recogniser.
        text: The recogniser's normaliser, if known.

    >>> from malgwi.tokenizers import TokenizerConfig, train
    >>> differences(TextSettings(spaces=True), train(["가"], TokenizerConfig(kind="jamo")))
    ["units: the language model's are syllable, the recogniser's jamo", \
"spaces: the language model's are units, the recogniser's are left out"]
    """
    record, kind = tokenizer.to_dict(), units_of(tokenizer)
    found = []
    if kind != settings.units:
        found.append(f"units: the language model's are {settings.units}, the recogniser's {kind}")
    elif kind == "subword" and fingerprint(tokenizer) != settings.tokenizer:
        found.append("tokenizer: the language model's pieces come from another tokenizer.json")
    if bool(record["spaces"]) != settings.spaces:
        words = {True: "units", False: "left out"}
        found.append(
            f"spaces: the language model's are {words[settings.spaces]}, "
            f"the recogniser's are {words[not settings.spaces]}"
        )
    if text is not None:
        ours, theirs = settings.text.to_dict(), text.to_dict()
        found += [
            f"normaliser {key}: the language model's is {ours[key]!r}, "
            f"the recogniser's {theirs[key]!r}"
            for key in ours
            # the tokenizer decides on spaces, whatever the normaliser leaves of them
            if ours[key] != theirs[key] and (key != "whitespace" or settings.spaces)
        ]
    return found
