"""Modified Kneser-Ney smoothing against the published formulae, written out with dictionaries."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.errors import ConfigError, DataError
from malgwi.lm import counting
from malgwi.lm.counting import count
from malgwi.lm.kneser_ney import FALLBACK, Estimate, train

Text = list[list[str]]
Gram = tuple[str, ...]
WORDS = st.sampled_from("가나다라마")
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=7), min_size=1, max_size=25)


class BruteForce:
    """P(w | h) as Chen & Goodman (1999) write it, for every h that the text holds.

    Equation 24 interpolates, 25 is the weight, 26 the discounts; `<s>` and `<unk>` as in Heafield
    et al. (2013), §3. Nothing here is shared with the trainer.
    """

    def __init__(self, text: Text, order: int, cutoffs: Sequence[int]) -> None:
        self.order = order
        plain = [Counter[Gram]() for _ in range(order + 1)]
        for sentence in text:
            padded = ("<s>", *sentence, "</s>")
            for length in range(1, order + 1):
                for end in range(length, len(padded) + 1):
                    plain[length][padded[end - length : end]] += 1
        del plain[1][("<s>",)]
        self.words = sorted({w for s in text for w in s} | {"</s>", "<unk>"})
        self.counts = [self._counts(plain, length) for length in range(order + 1)]
        self.discounts = [self._discounts(counts) for counts in self.counts]
        self.pruned = [
            {gram for gram in plain[n] if n > 1 and plain[n][gram] <= cutoffs[n - 1]}
            for n in range(order + 1)
        ]
        self.followers: dict[Gram, list[str]] = defaultdict(list)
        for counts in self.counts:
            for gram in counts:
                self.followers[gram[:-1]].append(gram[-1])

    def _counts(self, plain: list[Counter[Gram]], length: int) -> Counter[Gram]:
        if length == self.order or length == 0:
            return plain[length]
        before: dict[Gram, set[str]] = defaultdict(set)
        for gram in plain[length + 1]:
            before[gram[1:]].add(gram[0])
        return Counter(
            {
                gram: times if gram[0] == "<s>" else len(before[gram])
                for gram, times in plain[length].items()
            }
        )

    def _discounts(self, counts: Counter[Gram]) -> tuple[float, ...]:
        n = [sum(times == wanted for times in counts.values()) for wanted in range(5)]
        if not (n[1] and n[2] and n[3]):
            return (0.0, *FALLBACK)
        y = n[1] / (n[1] + 2 * n[2])
        found = [j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3)]
        if any(not 0 <= d <= j for j, d in enumerate(found, start=1)):
            return (0.0, *FALLBACK)
        return (0.0, *found)

    def prob(self, context: Gram, word: str) -> float:
        """P(word | context); a context that the text lacks is shortened."""
        context = context[len(context) - min(len(context), self.order - 1) :]
        length = len(context) + 1
        lower = 1 / len(self.words) if not context else self.prob(context[1:], word)
        counts, discounts = self.counts[length], self.discounts[length]
        total = sum(counts[(*context, w)] for w in self.followers[context])
        if not total or (context and context in self.pruned[length - 1]):
            return lower
        own = freed = 0.0
        for follower in self.followers[context]:
            times = counts[(*context, follower)]
            if (*context, follower) in self.pruned[length]:
                freed += times
                continue
            taken = discounts[min(times, 3)]
            freed += taken
            if follower == word:
                own = times - taken
        return own / total + freed / total * lower


def contexts(text: Text, order: int) -> list[Gram]:
    """Every context up to the order, and some that the text lacks."""
    found = {(), ("<unk>",), ("마", "가")}
    for sentence in text:
        padded = ("<s>", *sentence)
        for end in range(1, len(padded) + 1):
            for length in range(1, order):
                found.add(padded[max(0, end - length) : end])
    return sorted(found)


@settings(max_examples=40, deadline=None)
@given(
    text=TEXTS, order=st.integers(1, 4), prune=st.sampled_from([(), (0, 0, 1), (0, 1), (0, 1, 2)])
)
def test_every_probability_is_that_of_the_formulae_and_each_context_sums_to_one(
    text: Text, order: int, prune: tuple[int, ...]
) -> None:
    prune = prune[:order]
    cutoffs = [*prune, *([prune[-1] if prune else 0] * (order - len(prune)))]
    reference = BruteForce(text, order, cutoffs)
    model = train(text, order, prune=prune).model
    for context in contexts(text, order):
        probs = [10 ** model.log10_prob(context, word) for word in reference.words]
        wanted = [reference.prob(context, word) for word in reference.words]
        np.testing.assert_allclose(probs, wanted, atol=1e-6, err_msg=str(context))
        assert sum(probs) == pytest.approx(1.0, abs=1e-5)


def test_a_case_by_hand() -> None:
    """Two sentences, "가 나" and "가"; order 2, too small for discounts, so 0.5, 1 and 1.5.

    Words before: 가 {<s>}, 나 {가}, </s> {나, 가}: continuation counts 1, 1, 2, together 4.
    Unigrams: the weight of uniform is (0.5 + 0.5 + 1) / 4 = 0.5, uniform 1/4 (with <unk>):
    P(가) = 0.5/4 + 0.125 = 0.25, P(나) = 0.25, P(</s>) = 1/4 + 0.125 = 0.375, P(<unk>) = 0.125.
    After 가: 나 once and </s> once; the weight is (0.5 + 0.5) / 2 = 0.5:
    P(나 | 가) = 0.25 + 0.125 = 0.375, P(</s> | 가) = 0.25 + 0.1875 = 0.4375.
    After <s>: 가 twice; the weight is 1 / 2: P(가 | <s>) = 1/2 + 0.125 = 0.625.
    """
    found = train([["가", "나"], ["가"]], order=2)
    assert found.fallbacks == (1, 2)
    for context, word, wanted in [
        ((), "가", 0.25), ((), "</s>", 0.375), ((), "<unk>", 0.125), (("가",), "나", 0.375),
        (("가",), "</s>", 0.4375), (("<s>",), "가", 0.625), (("<s>",), "다", 0.0625),
    ]:  # fmt: skip
        assert 10 ** found.model.log10_prob(context, word) == pytest.approx(wanted, rel=1e-6)


def corpus(lines: int, seed: int = 0, kinds: int = 30) -> Text:
    """Sentences with a few frequent and many rare words, so that all discounts exist."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, kinds + 1)
    weights /= weights.sum()
    lengths = generator.integers(1, 12, lines)
    return [
        [chr(0xAC00 + int(w)) for w in generator.choice(kinds, size, p=weights)] for size in lengths
    ]


def test_discounts_are_those_of_the_counts_of_counts() -> None:
    text = corpus(600, kinds=400)
    found = train(text, order=3)
    assert found.fallbacks == ()
    reference = BruteForce(text, 3, (0, 0, 0))
    for order in (1, 2, 3):
        assert found.discounts[order - 1] == pytest.approx(reference.discounts[order][1:])


@pytest.mark.parametrize("order", [1, 3, 5])
@pytest.mark.parametrize("key_bytes", [8, 1])
def test_a_tiny_memory_counts_as_all_at_once(
    order: int, key_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of runs merged; with ``key_bytes`` 1 the keys are strings of bytes."""
    monkeypatch.setattr(counting, "_KEY_BYTES", key_bytes)
    text = corpus(300)
    whole = Counter[Gram]()
    for sentence in text:
        padded = ("<s>", *sentence, "</s>")
        for end in range(2, len(padded) + 1):
            whole[padded[max(0, end - order) : end]] += 1
    for name, memory in (("large", 1 << 30), ("small", 5000)):
        folder = tmp_path / name
        folder.mkdir()
        counted = count(iter(text), order, folder, memory)
        columns = [counted.column(place) for place in reversed(range(order))]
        found = {
            tuple(counted.words[w] for w in row if w >= 0): int(times)
            for row, times in zip(np.stack(columns, 1), counted.counts, strict=True)
        }
        assert found == whole
        runs = len(list(folder.glob("run-*.keys.npy")))
        assert runs == 1 if name == "large" else runs > 20


def same(first: Estimate, second: Estimate) -> bool:
    return all(
        np.array_equal(a.words, b.words) and np.array_equal(a.log10, b.log10)
        for a, b in zip(first.model.levels, second.model.levels, strict=True)
    )


def test_the_model_does_not_depend_on_memory() -> None:
    text = corpus(200, seed=3)
    assert same(train(text, 4), train(text, 4, memory_bytes=20_000))


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: train([], 3), DataError, "no sentence"),
        (lambda: train([["가"]], 0), ConfigError, "order is 0"),
        (lambda: train([["가"]], 2, prune=(0, 2, 3)), ConfigError, "at most 2"),
        (lambda: train([["가"]], 3, prune=(0, 2, 1)), ConfigError, "0 2 1"),
    ],
)
def test_what_cannot_be_trained_is_named(
    make: Callable[[], object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        make()
