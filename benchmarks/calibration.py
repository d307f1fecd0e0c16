"""How often do 95 % intervals contain the truth? Simulated corpora, whose truth is known.

    python benchmarks/calibration.py [--corpora 1000] [--kinds 3 11] [--out calibration.json]

Each corpus has speakers, scripts and utterances that multiply the error rate by gamma factors of
mean 1, so the true rate is known exactly; errors are Poisson. ``cv`` is the standard deviation of
such a factor: 0 no effect, 0.3 weak, 0.6 as between real speakers, 1 strong. The intervals are the
product's own, and so are the tests. Printed are percentages of corpora: for rates, how often each
interval contains the truth (95 is right; one by fewer kinds of units than there are is too narrow,
which is the point), and the median upper bound by speaker (``reach``, itself in percent); for two
systems that do not differ, how often each test says they do at 5 %.
With 1,000 corpora a percentage near 95 has a standard error of 0.7.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import tyro
from numpy.random import Generator
from numpy.typing import NDArray

from malgwi.metrics.confidence import (
    BootstrapConfig,
    Interval,
    interval,
    paired_difference,
    widest,
)
from malgwi.metrics.significance import randomisation
from malgwi.metrics.units import Units

Array = NDArray[np.float64]
METHODS = ("percentile", "jackknife_t", "bootstrap_t")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A kind of corpus.

    Args:
        speakers: How many.
        utterances: Of each speaker, on average.
        rate: The true error rate.
        speaker_cv: Spread of the speakers' factors.
        script_cv: Spread of the scripts' factors; every speaker reads the same scripts.
        utterance_cv: Spread of the utterances' own factors.
        uneven: Spread of the logarithm of utterances a speaker.
        tokens: Of an utterance, on average.
    """

    speakers: int = 20
    utterances: int = 30
    rate: float = 0.1
    speaker_cv: float = 0.0
    script_cv: float = 0.0
    utterance_cv: float = 0.5
    uneven: float = 0.0
    tokens: int = 20


@dataclass(frozen=True)
class Corpus:
    """One simulated corpus: two systems of one true rate, on the same utterances."""

    one: Units
    other: Units
    speakers: list[int]
    scripts: list[int]


def conditions() -> Iterator[Condition]:
    """All that are measured."""
    for speakers in (6, 10, 20, 50):
        for cv in (0.0, 0.3, 0.6, 1.0):
            yield Condition(speakers=speakers, speaker_cv=cv)
        yield Condition(speakers=speakers, speaker_cv=0.6, uneven=0.7)
        yield Condition(speakers=speakers, speaker_cv=0.6, rate=0.02)
        yield Condition(speakers=speakers, speaker_cv=0.6, rate=0.5)
        yield Condition(speakers=speakers, speaker_cv=0.5, script_cv=0.5)
    yield Condition(speakers=200, speaker_cv=0.6, utterances=10)
    for speakers in (2, 3, 4, 5):
        yield Condition(speakers=speakers, speaker_cv=0.6)
        yield Condition(speakers=speakers, speaker_cv=0.6, rate=0.5)


def main(
    corpora: int = 1000,
    resamples: int = 1000,
    seed: int = 1,
    kinds: tuple[int, ...] = (),
    out: Path | None = None,
) -> None:
    """Print the table, and write it.

    Args:
        corpora: Of each condition.
        resamples: Of each interval.
        seed: Of the corpora.
        kinds: Conditions to measure, by their place in the table from 0; all if not given.
        out: A JSON file of all results.
    """
    print(f"{corpora} corpora of each kind, {resamples} resamples")
    results = []
    for number, condition in enumerate(conditions()):
        if kinds and number not in kinds:
            continue
        generator = np.random.default_rng([seed, number])
        drawn = [simulate(condition, generator) for _ in range(corpora)]
        shares = {**coverage(condition, drawn, resamples), **alarms(drawn, resamples)}
        results.append({**asdict(condition), **shares})
        print(f"{_label(condition):<48}" + "  ".join(f"{k} {v:5.1f}" for k, v in shares.items()))
    if out is not None:
        out.write_text(json.dumps(results, indent=1))


def simulate(condition: Condition, generator: Generator) -> Corpus:
    """Draw one corpus."""
    spread = condition.uneven * generator.standard_normal(condition.speakers)
    counts = np.exp(spread - condition.uneven**2 / 2) * condition.utterances
    counts = np.maximum(1, np.rint(counts)).astype(np.int64)
    speakers = np.repeat(np.arange(condition.speakers), counts)
    scripts = np.concatenate([np.arange(count) for count in counts])
    factors = (
        _factors(condition.speaker_cv, condition.speakers, generator)[speakers]
        * _factors(condition.script_cv, int(scripts.max()) + 1, generator)[scripts]
        * _factors(condition.utterance_cv, len(speakers), generator)
    )
    tokens = 1 + generator.poisson(condition.tokens - 1, len(speakers))
    systems = []
    for _ in range(2):
        # What a speaker is to one system and not to the other: half of the speakers' spread.
        own = _factors(condition.speaker_cv / 2, condition.speakers, generator)[speakers]
        errors = generator.poisson(condition.rate * factors * own * tokens)
        systems.append(Units(errors.astype(np.int64), tokens.astype(np.int64)))
    return Corpus(systems[0], systems[1], speakers.tolist(), scripts.tolist())


def coverage(condition: Condition, corpora: Iterable[Corpus], resamples: int) -> dict[str, float]:
    """Percentage of corpora whose interval contains the true rate, by kind of interval."""
    kinds: dict[str, Callable[[Corpus, BootstrapConfig], Interval]] = {
        "utterance": lambda c, config: interval(c.one, config=config),
        **{
            method: lambda c, config, m=method: interval(
                c.one, c.speakers, replace(config, method=m)
            )
            for method in METHODS
        },
        "widest": _widest,
    }
    held: dict[str, list[bool]] = {name: [] for name in kinds}
    reach = []
    for number, corpus in enumerate(corpora):
        config = BootstrapConfig(resamples=resamples, seed=number)
        for name, found in kinds.items():
            bounds = found(corpus, config)
            held[name].append(bounds.low <= condition.rate <= bounds.high)
        reach.append(interval(corpus.one, corpus.speakers, config).high)
    shares = {name: 100 * float(np.mean(values)) for name, values in held.items()}
    return {**shares, "reach": 100 * float(np.median(reach))}


def alarms(corpora: Iterable[Corpus], resamples: int) -> dict[str, float]:
    """Percentage of corpora where equal systems are said to differ at 5 %, by test."""
    found: dict[str, list[bool]] = {"paired": [], "swap": [], "swap by utterance": []}
    for number, corpus in enumerate(corpora):
        config = BootstrapConfig(resamples=resamples, seed=number)
        change = paired_difference(corpus.one, corpus.other, corpus.speakers, config)
        found["paired"].append(change.p <= 0.05)
        for name, clusters in (("swap", corpus.speakers), ("swap by utterance", None)):
            swapped = randomisation(
                corpus.one, corpus.other, clusters, rounds=resamples, seed=number
            )
            found[name].append(swapped.p <= 0.05)
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


def _widest(corpus: Corpus, config: BootstrapConfig) -> Interval:
    return widest(corpus.one, {"speaker": corpus.speakers, "script": corpus.scripts}, config)


def _factors(cv: float, count: int, generator: Generator) -> Array:
    """Gamma factors of mean 1 and standard deviation ``cv``."""
    if cv == 0.0:
        return np.ones(count)
    return generator.gamma(1 / cv**2, cv**2, count)


def _label(condition: Condition) -> str:
    plain = asdict(Condition())
    changed = {k: v for k, v in asdict(condition).items() if v != plain[k] or k == "speakers"}
    return " ".join(f"{name}={value}" for name, value in changed.items())


if __name__ == "__main__":
    tyro.cli(main)
