"""The sentences of the embedded corpus: a grammar, own lines, and lines of open collections.

The sources lie beside the corpus as text that a person can edit (data/sentences). From them
``choose`` draws three lists such that a test sentence is new and yet fair: it differs from every
training sentence in a stated share of its syllables, and each of its syllables is heard in
training at least a stated number of times.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from malgwi.errors import DataError
from malgwi.text.hangul import has_final, is_syllable, letters

#: source name → file in data/sentences; the README there names licences.
SOURCES = {
    "own": "own.txt",
    "chatbot": "chatbot.txt",
    "common_voice": "common_voice.txt",
    "nsmc": "nsmc.txt",
}
_SLOT = re.compile(r"\{(\w+)\}(?:\((\w+)/(\w+)\))?")


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A written sentence and where it comes from (``grammar`` or a name in ``SOURCES``)."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True)
class SentenceConfig:
    """How many sentences each part takes, and how new those of dev and test must be.

    Args:
        train, dev, test: Sentences of each part.
        grammar_share: Share of generated sentences; the rest comes from collected lines.
        written_share: Share of generated sentences with digits and signs.
        least_distance: Least edit distance, as a share of the longer sentence without spaces,
            between a sentence of dev or test and any other sentence of the corpus.
        least_count: How often each syllable of dev and test must occur in training.
    """

    train: int = 1850
    dev: int = 100
    test: int = 150
    grammar_share: float = 0.75
    written_share: float = 0.06
    least_distance: float = 0.25
    least_count: int = 10


def choose(config: SentenceConfig, seed: int) -> dict[str, list[Sentence]]:
    """Training, development and test sentences, shuffled; the same for the same seed.

    Raises:
        DataError: The sources cannot fill a part under these conditions.
    """
    rng = random.Random(seed)
    held_out = config.dev + config.test
    collected = list(read_collected())
    rng.shuffle(collected)
    from_lines = min(round((1 - config.grammar_share) * config.train), len(collected) * 4 // 5)
    count = config.train - from_lines
    generated = generate(count + 8 * held_out, config.written_share, rng)
    rng.shuffle(generated)
    train = generated[:count] + collected[:from_lines]
    lines = _fresh(collected[from_lines:], train, (), config)
    lines = lines[: round((1 - config.grammar_share) * held_out)]
    fresh = lines + _fresh(generated[count:], train, lines, config)[: held_out - len(lines)]
    if len(fresh) < held_out:
        raise DataError(
            f"only {len(fresh)} of {held_out} development and test sentences are new enough: add "
            "sentences to data/sentences or lower least_distance or least_count"
        )
    rng.shuffle(train)
    rng.shuffle(fresh)
    return {"train": train, "dev": fresh[: config.dev], "test": fresh[config.dev :]}


def generate(count: int, written_share: float, rng: random.Random) -> list[Sentence]:
    """``count`` different sentences of the grammar, templates taken in turn.

    Raises:
        DataError: The grammar has fewer sentences than that.
    """
    grammar = yaml.safe_load(_read("grammar.yaml"))
    slots, found = grammar["slots"], dict[str, None]()
    for name, share in (("written", written_share), ("templates", 1.0)):
        goal, tries = len(found) + round((count - len(found)) * share), 0
        while len(found) < goal:
            template = grammar[name][tries % len(grammar[name])]
            found.setdefault(fill(template, slots, rng))
            tries += 1
            if tries > 50 * count:
                raise DataError(f"the grammar's {name} give fewer than {goal} sentences")
    return [Sentence(text=text, source="grammar") for text in found]


def fill(template: str, slots: Mapping[str, list[str]], rng: random.Random) -> str:
    """A template with its slots filled; a value is not used twice in one sentence.

    >>> fill("{food}(을/를) 주세요", {"food": ["빵"]}, random.Random(0))
    '빵을 주세요'
    """
    used: set[str] = set()

    def value(match: re.Match[str]) -> str:
        slot, after_consonant, after_vowel = match.groups()
        if slot not in slots:
            raise DataError(f"template {template!r} names an unknown slot {slot!r}")
        chosen = rng.choice([v for v in slots[slot] if v not in used])
        used.add(chosen)
        if after_consonant is None:
            return chosen
        light = not has_final(chosen[-1])
        if after_consonant == "으로":
            light = light or letters(chosen[-1])[2] == "ㄹ"  # 서울로, 지하철로
        return chosen + (after_vowel if light else after_consonant)

    return _SLOT.sub(value, template)


def read_collected() -> Iterator[Sentence]:
    """The lines of every file in ``SOURCES``, without comments and what differs in spaces only."""
    seen: set[str] = set()
    for source, name in SOURCES.items():
        for line in _read(name).splitlines():
            text = line.strip()
            if text and not text.startswith("#") and _compact(text) not in seen:
                seen.add(_compact(text))
                yield Sentence(text=text, source=source)


def _fresh(
    candidates: Sequence[Sentence],
    train: Sequence[Sentence],
    others: Sequence[Sentence],
    config: SentenceConfig,
) -> list[Sentence]:
    """Candidates of syllables that training knows, unlike each other and all of the rest."""
    counts = Counter(ch for sentence in train for ch in sentence.text)
    known = [_compact(sentence.text) for sentence in (*train, *others)]
    fresh: list[Sentence] = []
    for candidate in candidates:
        text = _compact(candidate.text)
        if any(counts[ch] < config.least_count for ch in text if is_syllable(ch)):
            continue
        nearest = process.extractOne(text, known, scorer=Levenshtein.normalized_distance)
        if nearest is None or nearest[1] >= config.least_distance:
            fresh.append(candidate)
            known.append(text)
    return fresh


def _compact(text: str) -> str:
    return re.sub(r"[\s.,?!]", "", text)


def _read(name: str) -> str:
    return (files("malgwi") / "data" / "sentences" / name).read_text("utf-8")
