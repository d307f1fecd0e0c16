"""An n-gram model as a trie in flat arrays, and bound to a recogniser's tokenizer.

Level k holds the n-grams of k words, ascending word by word; the children of n-gram i are the
entries ``children[i] : children[i + 1]`` of level k + 1, their words ascending. Look-ups are done
for all rows of a beam at once in numpy. Probabilities are kept as ARPA writes them, in base 10;
what a search sees is natural.

The state of a search is, for each row, the trie's node for every length of what stands before:
going on by a word is then one look-up a length, and no backoff links are needed.

Source of the format: Heafield, "KenLM", WMT 2011, §3.2 (the trie); Katz, 1987 (backoff).

Shapes: N rows, K order, W words of the model, V vocabulary of the tokenizer.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from malgwi.errors import ConfigError, DataError
from malgwi.lm.units import (
    END,
    SPACE,
    SPACE_ALIASES,
    START,
    UNKNOWN,
    TextSettings,
    differences,
    unit_texts,
)
from malgwi.text.normalize import NormalizerConfig
from malgwi.types import Tokenizer

Nodes = NDArray[np.int64]
LN10 = float(np.log(10.0))

#: Places that a step of a look-up asks: many while its calls cost more than they do, that is, up to
#: so many look-ups at once; else two, which is bisection.
_PROBES, _FEW = np.arange(16), 4096


@dataclass(frozen=True, kw_only=True)
class Level:
    """The n-grams of one order. The highest order has neither backoff weights nor children."""

    words: NDArray[Any]  # [n] the last word of each
    log10: NDArray[np.float32]  # [n] log10 P(last word | those before)
    backoff: NDArray[np.float32] | None = None  # [n] log10 of the weight of the shorter context
    children: NDArray[Any] | None = None  # [n + 1] places in the next level

    def parents(self) -> Nodes:
        """For each n-gram of the next level where it hangs here, ascending."""
        if self.children is None:
            return np.zeros(0, np.int64)
        places = self.children.astype(np.int64)
        return np.repeat(np.arange(len(self.words)), places[1:] - places[:-1])


@dataclass(frozen=True)
class Joined:
    """One kind of array of all levels, in one: a look-up then serves all lengths of context."""

    values: NDArray[Any]
    begins: Nodes  # [K] where each level's begins in that


class NgramModel:
    """P(word | up to K − 1 words before), by look-up and backoff.

    Args:
        words: The vocabulary, ``<unk>``, ``<s>`` and ``</s>`` among it; level 1 holds exactly
            these, in this order.
        levels: Orders 1 … K.
        settings: How the text was cut that this was trained on; None for a model from elsewhere.
        joined: The levels' arrays by name, where they lie in one already; others are copied into
            one when they are asked for.
    """

    def __init__(
        self,
        words: Sequence[str],
        levels: Sequence[Level],
        settings: TextSettings | None = None,
        joined: Mapping[str, Joined] | None = None,
    ) -> None:
        self.words = tuple(words)
        self._joined = dict(joined or {})
        self.levels = tuple(levels)
        self.settings = settings
        self.ids = {word: number for number, word in enumerate(self.words)}
        for word in (UNKNOWN, START, END):
            if word not in self.ids:
                raise DataError(f"the language model has no word {word}: it cannot be used")

    @property
    def order(self) -> int:
        """K, the longest n-gram."""
        return len(self.levels)

    def id_of(self, word: str) -> int:
        """The word's number, or that of ``<unk>``."""
        return self.ids.get(word, self.ids[UNKNOWN])

    def child(self, order: int, nodes: Nodes, words: NDArray[np.int64]) -> Nodes:
        """Where "n-gram + word" stands in level ``order``; −1 where it does not.

        Args:
            order: Of the n-grams looked for, 2 … K.
            nodes: [N] places in level ``order − 1``; −1 has no children.
            words: [N] word ids.
        """
        return self._children(nodes[:, None], words, first=order - 1)[:, 0]

    def joined(self, name: str) -> Joined:
        """The arrays of that field of `Level`, zeros where a level that has children has none."""
        if name not in self._joined:
            arrays = [getattr(level, name) for level in self.levels]
            for at, level in enumerate(self.levels[:-1]):
                if arrays[at] is None:
                    arrays[at] = np.zeros(len(level.words) + 1, np.float32)
            arrays = [np.zeros(0, np.uint8) if array is None else array for array in arrays]
            begins = np.cumsum([0, *map(len, arrays[:-1])])
            self._joined[name] = Joined(np.concatenate(arrays), begins)
        return self._joined[name]

    def _longer(self, nodes: Nodes, first: int = 1) -> tuple[Nodes, Nodes, Nodes, Nodes]:
        """Where n-grams have children: column and row, ascending; where those begin and end.

        Args:
            nodes: [N, L] places in the levels from ``first`` on; −1 has no children.
            first: Order of the first column.

        Returns:
            Four arrays, one entry for each node; begin and end are places among the joined words.
        """
        columns, rows = (nodes.T[: self.order - first] >= 0).nonzero()
        children, own = self.joined("children"), self.joined("words").begins[first + columns]
        at = children.begins[first - 1 + columns] + nodes[rows, columns]
        begins = children.values.take(at).astype(np.int64) + own
        return columns, rows, begins, children.values.take(at + 1).astype(np.int64) + own

    def _children(self, nodes: Nodes, words: NDArray[np.int64], first: int = 1) -> Nodes:
        """Column k: where "n-gram + word" stands in level ``first + k + 1``, or −1.

        One search for all rows and lengths: of the time of a small beam, the calls are most.

        Args:
            nodes: [N, L] places in the levels from ``first`` on; −1 has no children.
            words: [N] word ids.
            first: Order of the first column.
        """
        found = np.full(nodes.shape, -1, np.int64)
        entries = self.joined("words")
        columns, rows, low, end = self._longer(nodes, first)
        wanted, count = words[rows, None], end - low
        ahead = _PROBES if len(rows) <= _FEW else _PROBES[:2]
        while count.any():  # for the first entry that is not less than the word wanted
            stride = -(-count // len(ahead))
            probes = low[:, None] + stride[:, None] * ahead
            less = (entries.values.take(probes, mode="clip") < wanted) & (probes < end[:, None])
            passed = less.sum(1)
            low += np.where(passed > 0, (passed - 1) * stride + 1, 0)
            count = np.where(passed > 0, np.minimum(stride - 1, end - low), 0)
        there = (low < end) & (entries.values.take(low, mode="clip") == wanted[:, 0])
        rows, columns = rows[there], columns[there]
        found[rows, columns] = low[there] - entries.begins[first + columns]
        return found

    def start_nodes(self, rows: int) -> Nodes:
        """[rows, max(K − 1, 1)]: column k is the node of the last k + 1 words; here ``<s>``."""
        nodes = np.full((rows, max(self.order - 1, 1)), -1, np.int64)
        nodes[:, 0] = self.ids[START]
        return nodes

    def next_nodes(self, nodes: Nodes, words: NDArray[np.int64]) -> Nodes:
        """The nodes after one more word a row."""
        longer = self._children(nodes[:, :-1], words)
        return np.concatenate([words[:, None], longer], axis=1)

    def after(self, nodes: Nodes, words: NDArray[np.int64]) -> tuple[NDArray[np.float64], Nodes]:
        """log10 P(word | context) [N], and the nodes [N, L + 1] of contexts one word longer.

        Args:
            nodes: [N, L] of the contexts, L < K: column k is the node of the last k + 1 words.
            words: [N].
        """
        longer = self._children(nodes, words)
        result = self.levels[0].log10[words].astype(np.float64)
        for column, (level, above) in enumerate(pairwise(self.levels[: nodes.shape[1] + 1])):
            before, found = nodes[:, column], longer[:, column]
            if level.backoff is not None:
                result += np.where(before >= 0, level.backoff[before], 0.0)
            if len(above.words):
                result = np.where(found >= 0, above.log10[found], result)
        return result, np.concatenate([words[:, None], longer], axis=1)

    def log10_probs(self, text: NDArray[np.int64]) -> NDArray[np.float64]:
        """log10 P of each word given those before it, a whole text at once.

        Args:
            text: [n] word ids of sentences one after the other, each ``<s>`` … ``</s>``. No
                n-gram holds both ``</s>`` and ``<s>``, so none reaches into another sentence.
        """
        nodes: Nodes = text
        result = self.levels[0].log10[text].astype(np.float64)
        for order in range(2, self.order + 1):
            backoff = self.levels[order - 2].backoff
            before = np.concatenate([[-1], nodes[:-1]])
            nodes = self.child(order, before, text)
            if backoff is not None and len(backoff):
                result += np.where(before >= 0, backoff[before], 0.0)
            if len(self.levels[order - 1].log10):
                result = np.where(nodes >= 0, self.levels[order - 1].log10[nodes], result)
        return result

    def log10_prob(self, context: Sequence[str], word: str) -> float:
        """log10 P(word | context) of one word; what is unknown counts as ``<unk>``.

        The context begins wherever it begins: put ``<s>`` first for the beginning of a sentence.
        """
        text = np.array([self.id_of(unit) for unit in [*context, word]])
        return float(self.log10_probs(text)[-1])

    def dense(self, nodes: Nodes) -> NDArray[np.float32]:
        """ln P(word | context) of every word, [N, W] float32.

        Args:
            nodes: [N, max(K − 1, 1)] the state's rows.
        """
        (N, L), unigrams = nodes.shape, self.levels[0].log10
        entries, log10, backoff = (self.joined(n) for n in ("words", "log10", "backoff"))
        columns, rows, begins, ends = self._longer(nodes)
        # column k: all backoff weights of contexts longer than k words
        tail = np.zeros((N, L + 1), np.float32)
        tail[rows, columns] = backoff.values.take(backoff.begins[columns] + nodes[rows, columns])
        tail = tail[:, ::-1].cumsum(1)[:, ::-1]
        scores: NDArray[np.float32] = unigrams + tail[:, :1]
        counts = ends - begins
        ahead = counts.cumsum()
        own = np.arange(counts.sum()) + (begins - ahead + counts).repeat(counts)
        columns, rows = columns.repeat(counts), rows.repeat(counts)
        place = rows * len(unigrams) + entries.values.take(own)
        own += log10.begins[1 + columns] - entries.begins[1 + columns]
        # columns ascend, and of values for one place numpy keeps the last: the longest context's
        scores.reshape(-1)[place] = log10.values.take(own) + tail[rows, columns + 1]
        scores *= np.float32(LN10)
        return scores

    def bind(
        self,
        tokenizer: Tokenizer,
        text: NormalizerConfig | None = None,
        *,
        strict: bool = True,
        cache_bytes: int = 1 << 26,
    ) -> "BoundNgram":
        """This model over a tokenizer's ids, as a beam search asks.

        Args:
            tokenizer: Of the recogniser.
            text: The recogniser's normaliser, if known.
            strict: Refuse a model whose text was cut in another way than the recogniser's.
            cache_bytes: For scores of contexts seen lately.

        Raises:
            ConfigError: Text was cut otherwise, or not one of the tokenizer's units is known.
        """
        found = differences(self.settings, tokenizer, text) if self.settings else []
        if found and strict:
            raise ConfigError(
                "this language model does not fit the recogniser: "
                + "; ".join(found)
                + ". Train one that does with  malgwi lm TEXT... --tokenizer RUN/tokenizer.json"
            )
        return BoundNgram(self, tokenizer, cache_bytes)


class BoundNgram:
    """`malgwi.types.LanguageModel` over one tokenizer. Units the model lacks are ``<unk>``.

    Args:
        model: The n-gram model.
        tokenizer: Whose ids the rows of a search speak.
        cache_bytes: For scores of contexts seen lately, least recently used out first.
    """

    def __init__(self, model: NgramModel, tokenizer: Tokenizer, cache_bytes: int) -> None:
        self.model = model
        self.vocabulary_size = tokenizer.size
        self.word_of = _word_ids(model, tokenizer)  # [V]
        self.capacity = max(cache_bytes // (4 * self.vocabulary_size), 1)
        self._cache: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        columns = model.start_nodes(1).shape[1]
        odd = np.random.default_rng(0).integers(2**63, size=columns, dtype=np.uint64)
        self._odd = 2 * odd + np.uint64(1)

    def start(self, rows: int) -> Nodes:
        """The state at the beginning of a text: [N, K − 1] trie nodes."""
        return self.model.start_nodes(rows)

    def score(self, state: Nodes) -> NDArray[np.float32]:
        """ln P(token | what stands before), [N, V] float32."""
        keys = [nodes.tobytes() for nodes in state]
        found = {key: row for key in keys if (row := self._cache.get(key)) is not None}
        unseen = {key: number for number, key in enumerate(keys) if key not in found}
        if unseen:
            made = self.model.dense(state[list(unseen.values())])[:, self.word_of]
            found.update(zip(unseen, made, strict=True))
        for key in keys:
            self._cache[key] = found[key]
            self._cache.move_to_end(key)
        while len(self._cache) > self.capacity:
            self._cache.popitem(last=False)
        return np.stack([found[key] for key in keys])

    def advance(self, state: Nodes, rows: NDArray[np.int64], tokens: NDArray[np.int64]) -> Nodes:
        """The state whose row i is row ``rows[i]`` followed by ``tokens[i]``, if not negative."""
        after: Nodes = state[rows]
        grown = np.flatnonzero(tokens >= 0)
        if not len(grown):
            return after
        after[grown] = self.model.next_nodes(after[grown], self.word_of[tokens[grown]])
        return after

    def contexts(self, state: Nodes) -> NDArray[np.uint64]:
        """A number for each row's nodes; two of 2⁶⁴ that agree by chance would be a wonder."""
        numbers: NDArray[np.uint64] = (state.astype(np.uint64) * self._odd).sum(1, dtype=np.uint64)
        return numbers


def _word_ids(model: NgramModel, tokenizer: Tokenizer) -> NDArray[np.int64]:
    """For each token id the model's word."""
    texts = unit_texts(tokenizer)
    space = next((name for name in SPACE_ALIASES if name in model.ids), SPACE)
    texts = [space if text == SPACE else text for text in texts]
    known = sum(text in model.ids for text in texts if text not in (UNKNOWN, START, END))
    if not known:
        raise ConfigError(
            f"the language model knows none of the tokenizer's {tokenizer.size} units; its words "
            f"are such as {' '.join(model.words[3:9])}: train one on the recogniser's units"
        )
    return np.array([model.id_of(text) for text in texts], np.int64)
