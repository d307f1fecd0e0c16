"""The same errors, counted as others count them, so that a published figure finds its convention.

A figure is made of three choices: what was done to the text, what is a token (the metric), and
whether edits were summed over the corpus or rates averaged over utterances. `TREATMENTS` times
`COLUMNS` times `AVERAGES` is every such figure here; `nearest` finds the one a paper may mean.

What the conventions do was read in their code: jiwer 4 (transforms.py), openai/whisper
(normalizers/basic.py), nlptutti (asr_metrics.py). Whisper's default normaliser composes (NFKC);
with ``remove_diacritics`` it decomposes (NFKD), and a Korean syllable becomes two or three tokens.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from malgwi.metrics.counts import PairCounts, count_pair
from malgwi.metrics.error_rate import countable, is_plain
from malgwi.text.normalize import NormalizerConfig

#: Metrics of a figure: the five, and the match error rate over characters without spaces.
COLUMNS = ("cer_nospace", "cer", "wer", "swer", "mer", "mer_characters")
AVERAGES = ("corpus", "mean")
#: ``CER`` is without spaces.
COLUMN_TITLES = {
    "cer_nospace": "CER",
    "cer": "CER sp",
    "wer": "WER",
    "swer": "sWER",
    "mer": "MER",
    "mer_characters": "MER ch",
}
#: The settings that change least.
KEEP = NormalizerConfig.from_dict(
    {f.name: "keep" for f in fields(NormalizerConfig) if "keep" in get_args(f.type)}
)
_MARKED = re.compile(r"\)/\(|\w[/+*](?!\w)")


@dataclass(frozen=True)
class Treatment:
    """What is done to a text before it is counted.

    Attributes:
        title: In tables.
        apply: The text as it is counted.
        plain: Whether Hangul words between single spaces come out as they went in.
    """

    title: str
    apply: Callable[[str], str]
    plain: bool = True


@dataclass(frozen=True)
class Figure:
    """One error rate and the three choices it is made of.

    Attributes:
        text: Key of ``TREATMENTS``.
        metric: One of ``COLUMNS``.
        average: ``corpus``: edits summed, divided once; ``mean``: of the utterances' rates, those
            without a token left out.
        rate: None where nothing was to be divided by.
    """

    text: str
    metric: str
    average: str
    rate: float | None

    @property
    def known_as(self) -> str:
        """Who counts so, if that is known."""
        return CONVENTIONS.get((self.text, self.metric, self.average), "")

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        who = {"known_as": self.known_as} if self.known_as else {}
        names = {"text": self.text, "metric": self.metric, "average": self.average}
        return {**names, "rate": self.rate, **who}


@dataclass(frozen=True)
class Sums:
    """What figures are made of; sums of parts add up.

    Attributes:
        errors: [columns].
        tokens: [columns].
        rates: [columns] rates of the utterances, summed.
        rated: [columns] how many utterances have a rate.
    """

    errors: NDArray[np.float64]
    tokens: NDArray[np.float64]
    rates: NDArray[np.float64]
    rated: NDArray[np.float64]

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.errors + other.errors,
            self.tokens + other.tokens,
            self.rates + other.rates,
            self.rated + other.rated,
        )

    @classmethod
    def of(cls, counts: NDArray[np.int32]) -> "Sums":
        """Of utterances counted as [N, 4, 4]: the ways of ``PairCounts``, the four counts."""
        edits, said = counts[:, :, 1:].sum(axis=2), counts[:, :, :3].sum(axis=2)
        columns = edits + counts[:, :, 0]  # of the alignment: hits and all edits
        errors = edits[:, [0, 1, 2, 3, 2, 0]]
        tokens = np.concatenate([said, columns[:, [2, 0]]], axis=1)
        some = tokens > 0
        rates = np.divide(errors, tokens, out=np.zeros(errors.shape), where=some)
        sums = (errors.sum(axis=0), tokens.sum(axis=0), rates.sum(axis=0), some.sum(axis=0))
        return cls(*(values.astype(np.float64) for values in sums))

    def figures(self, text: str) -> list[Figure]:
        """The figures of these sums."""
        made = {"corpus": (self.errors, self.tokens), "mean": (self.rates, self.rated)}
        return [
            Figure(text, metric, average, float(above[at] / below[at]) if below[at] else None)
            for average, (above, below) in made.items()
            for at, metric in enumerate(COLUMNS)
        ]


def has_marks(texts: Iterable[str]) -> bool:
    """Whether KsponSpeech's dual forms or marks occur, so that views of them differ.

    >>> has_marks(["네", "아/ (3시)/(세 시)에"]), has_marks(["km/h"])
    (True, False)
    """
    return any(_MARKED.search(text) for text in texts)


def treatments(*, marks: bool) -> dict[str, Treatment]:
    """Those that apply: views of KsponSpeech's marks only where there are some."""
    return {n: t for n, t in TREATMENTS.items() if marks or not n.startswith(("spell", "pron"))}


def count_treated(
    said: Sequence[str],
    heard: Sequence[str],
    chosen: Mapping[str, Treatment],
    usual: NDArray[np.int32] | None = None,
) -> dict[str, Sums]:
    """The sums of each treatment of these pairs, counted once where treatments agree.

    Args:
        said: N references.
        heard: N hypotheses.
        chosen: Of ``TREATMENTS``.
        usual: [N, 4, 4] of the plain pairs among them, where they are known.
    """
    pairs = list(zip(said, heard, strict=True))
    plain = np.array([is_plain(one) and is_plain(other) for one, other in pairs], dtype=bool)
    if usual is None:
        usual = np.zeros((len(pairs), 4, 4), dtype=np.int32)
        usual[plain] = as_array([count_pair(*pairs[at]) for at in np.flatnonzero(plain)])
    found = {}
    for name, treatment in chosen.items():
        rest = np.flatnonzero(~plain if treatment.plain else np.ones(len(pairs), dtype=bool))
        counts = usual.copy()
        counts[rest] = as_array([_treated(*pairs[at], treatment) for at in rest])
        found[name] = Sums.of(counts)
    return found


def as_array(counts: Sequence[PairCounts]) -> NDArray[np.int32]:
    """[N, 4, 4] of N pairs."""
    numbers = chain.from_iterable(chain.from_iterable(counts))
    return np.fromiter(numbers, dtype=np.int32, count=16 * len(counts)).reshape(-1, 4, 4)


def nearest(figures: Iterable[Figure], rate: float, most: int = 5) -> list[Figure]:
    """The figures nearest to a published one, the nearest first, known conventions before others.

    >>> found = [Figure("nfc", "cer", "corpus", 0.08), Figure("nfc", "wer", "corpus", 0.3)]
    >>> nearest(found, 0.0733, most=1)[0].metric
    'cer'
    """
    known = [figure for figure in figures if figure.rate is not None]

    def distance(figure: Figure) -> tuple[float, bool]:
        return round(abs((figure.rate or 0.0) - rate), 9), not figure.known_as

    return sorted(known, key=distance)[:most]


def _treated(said: str, heard: str, treatment: Treatment) -> PairCounts:
    return count_pair(treatment.apply(said), treatment.apply(heard))


def _normalized(**settings: str) -> Callable[[str], str]:
    config = NormalizerConfig.from_dict({**KEEP.to_dict(), **settings})
    return lambda text: countable(text, config)


class _ByCategory(dict[int, str | None]):
    """What becomes of each character, by its Unicode category; filled as characters come."""

    def __init__(self, dropped: tuple[str, ...], spaced: tuple[str, ...]) -> None:
        super().__init__()
        self._dropped, self._spaced = dropped, spaced

    def __missing__(self, code: int) -> str | None:
        category = unicodedata.category(chr(code))
        character: str | None = chr(code)
        if category.startswith(self._dropped):
            character = None
        elif category.startswith(self._spaced):
            character = " "
        self[code] = character
        return character


_PUNCTUATION = _ByCategory(dropped=("P",), spaced=())
_SIGNS = _ByCategory(dropped=(), spaced=("M", "S", "P"))
_SIGNS_AND_ACCENTS = _ByCategory(dropped=("Mn",), spaced=("M", "S", "P"))
_ASIDE = re.compile(r"[<\[][^>\]]*[>\]]|\([^)]+?\)")


def _whisper(form: Literal["NFKC", "NFKD"], table: _ByCategory) -> Callable[[str], str]:
    """Lower case, nothing in brackets, compatibility form, signs as spaces."""

    def apply(text: str) -> str:
        if is_plain(text):
            return unicodedata.normalize(form, text)
        plain = unicodedata.normalize(form, _ASIDE.sub("", text.lower()))
        return " ".join(plain.translate(table).lower().split())

    return apply


def _unpunctuated(text: str) -> str:
    return " ".join(text.translate(_PUNCTUATION).split())


_VIEWS = {"tags": "drop", "fillers": "unmark", "repetitions": "unmark", "unclear": "unmark"}
TREATMENTS: dict[str, Treatment] = {
    "nfc": Treatment("as written, NFC", countable),
    "raw": Treatment("as written, raw", str.strip),
    "no_punctuation": Treatment("no punctuation", _normalized(punctuation="drop")),
    "spelling": Treatment("spelling view", _normalized(dual="spelling", **_VIEWS)),
    "spelling_no_punctuation": Treatment(
        "spelling, no punctuation",
        _normalized(dual="spelling", punctuation="drop", **_VIEWS),
    ),
    "pronunciation": Treatment("pronunciation view", _normalized(dual="pronunciation", **_VIEWS)),
    "pronunciation_no_punctuation": Treatment(
        "pronunciation, no punctuation",
        _normalized(dual="pronunciation", punctuation="drop", **_VIEWS),
    ),
    "training": Treatment(
        "malgwi's training text", lambda text: countable(text, NormalizerConfig())
    ),
    "jiwer_punctuation": Treatment("jiwer RemovePunctuation", _unpunctuated),
    "whisper": Treatment("Whisper (NFKC)", _whisper("NFKC", _SIGNS)),
    "whisper_nfkd": Treatment(
        "Whisper, no accents (NFKD)",
        _whisper("NFKD", _SIGNS_AND_ACCENTS),
        plain=False,
    ),
}
#: (text, metric, average) → who counts so.
CONVENTIONS: dict[tuple[str, str, str], str] = {
    ("raw", "cer", "corpus"): "jiwer.cer, Hugging Face",
    ("raw", "wer", "corpus"): "jiwer.wer",
    ("raw", "mer", "corpus"): "jiwer.mer",
    ("nfc", "cer_nospace", "corpus"): "hackathon; on their texts KoSpeech, ClovaCall, SpeechBrain",
    ("nfc", "cer", "corpus"): "on its texts ESPnet",
    ("nfc", "swer", "corpus"): "on their texts ETRI and ESPnet",
    ("jiwer_punctuation", "mer_characters", "mean"): "nlptutti get_cer, averaged",
    ("jiwer_punctuation", "mer", "mean"): "nlptutti get_wer, averaged",
    ("whisper", "cer", "corpus"): "Whisper's default normaliser, then jiwer.cer",
    ("whisper", "wer", "corpus"): "Whisper's default normaliser, then jiwer.wer",
    ("whisper_nfkd", "cer", "corpus"): "Whisper's normaliser on jamo, then jiwer.cer",
}
