"""CTC prefix beam search: the likeliest strings, each summed over all of its alignments.

A prefix is one hypothesis however it was reached, with two forward variables, for alignments that
end in a blank and in its last token (Graves 2008, §7.5). Hypotheses compete by

    log P_CTC(string) + what language models and hot-words add

The surprising choices. Plain numpy, one step for all utterances and beams: the arrays are small,
and a tensor library's cost a call is what would be paid for; nor need one be installed. A prefix
is known by a 64-bit fingerprint of its tokens, so that two ways to one string are found by
comparing integers, and among a frame's candidates only a prefix and its own extension can be one
string. Of prefixes that end in one token and are the same to the language model from here on, a
full beam keeps the best: the others could only follow it. As in the attention beam, the greedy path
is never pruned: the search cannot lose to greedy decoding.

Papers: Graves & Jaitly 2014 (ICML, "Towards end-to-end speech recognition with recurrent neural
networks"); Hannun et al. 2014 (arXiv 1408.2873, algorithm 1) with a language model inside.

Shapes: B utterances, K beams, N rows (B × K, utterance-major), T frames, V vocabulary,
W tokens proposed at a frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from malgwi.decoders.ctc_frames import Floats, Frames, Ints
from malgwi.decoders.fingerprint import mixed
from malgwi.decoders.prefix_text import PrefixText
from malgwi.errors import ConfigError
from malgwi.types import Hypothesis, LanguageModel

Names = NDArray[np.uint64]

#: Names of what is no string: an empty place, and the parent of a string that has none.
_EMPTY, _NO_PARENT, _ROOT = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class CtcBeamConfig:
    """How wide to search.

    Args:
        beams: Prefixes kept alive for each utterance (K).
        nbest: Hypotheses returned for each utterance, at most. With more than one, texts stay apart
            that differ only before what the language model remembers, and the beam holds less.
        shortlist: Tokens by which a prefix may grow at a frame, the likeliest first; None is all.
        min_log_prob: Tokens less likely than this at a frame let no prefix grow, the frame's
            likeliest apart; None is off.
        skip_blank: Frames whose blank is at least this likely count as blank and nothing else.
            At 0.999 no token of theirs reaches a ``min_log_prob`` of −6.9 anyway. None is off.

    With the last three None the sums lack nothing but what the beam's width cuts off.
    """

    beams: int = 16
    nbest: int = 1
    shortlist: int | None = 20
    min_log_prob: float | None = -7.0
    skip_blank: float | None = 0.999

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigError: A field out of its range.
        """
        wanted = {
            "beams": (self.beams >= 1, "at least 1"),
            "nbest": (self.nbest >= 1, "at least 1"),
            "shortlist": (self.shortlist is None or self.shortlist >= 1, "at least 1, or None"),
            "min_log_prob": (self.min_log_prob is None or self.min_log_prob < 0, "below 0"),
            "skip_blank": (self.skip_blank is None or 0.5 < self.skip_blank <= 1, "above 0.5"),
        }
        for name, (good, range_) in wanted.items():
            if not good:
                raise ConfigError(f"ctc beam: {name} is {getattr(self, name)!r}, want {range_}")


def ctc_beam(
    log_probs: NDArray[np.floating],
    lengths: NDArray[np.integer],
    *,
    blank_id: int,
    start_id: int,
    end_id: int,
    config: CtcBeamConfig,
    language_model: LanguageModel | None = None,
) -> list[list[Hypothesis]]:
    """The likeliest strings of a batch of utterances.

    Args:
        log_probs: [B, T, V] log-softmax of the CTC layer.
        lengths: [B] valid frames.
        blank_id: The CTC blank.
        start_id: Never proposed.
        end_id: Never proposed; the language model's score of it is added when the audio ends.
        config: Width.
        language_model: What is added token by token, weights applied (`malgwi.decoders.fusion`).

    Returns:
        For each utterance up to ``nbest`` distinct hypotheses, best first; none only where the
        language model rules out every string of the beam. ``ctc_log_prob`` is the sum over the
        alignments that the beam kept, at most that of the string.

    Raises:
        ConfigError: A language model of another vocabulary.
        MalgwiError: NaN among the log-probabilities.

    >>> even = np.log(np.full((1, 2, 4), 0.25))           # blank, start, end and one token
    >>> best = ctc_beam(even, np.array([2]), blank_id=0, start_id=1, end_id=2,
    ...                 config=CtcBeamConfig(nbest=2))[0]
    >>> [(h.tokens, round(16 * float(np.exp(h.score)))) for h in best]   # 3 3, 3 _, _ 3; _ _
    [((3,), 3), ((), 1)]
    """
    B, _, V = log_probs.shape
    frames = Frames.prepare(
        log_probs,
        lengths,
        blank_id=blank_id,
        never=(start_id, end_id),
        shortlist=config.shortlist,
        min_log_prob=config.min_log_prob,
        skip_blank=config.skip_blank,
    )
    text = None if language_model is None else PrefixText(language_model, B, config.beams, V)
    beam, letters, history = _first(B, config.beams, blank_id), _letters(V), []
    for t, width in enumerate(frames.widths):
        kept = _stay(beam, frames, t)
        if width == 0:
            beam = _moved(beam, kept)
            continue
        candidates = _extend(beam, kept, frames, t, text)
        beam, step = _choose(beam, kept, candidates, letters)
        history.append(step)
        if text is not None:
            text.follow(step.sources, step.tokens)
        contexts = np.zeros((B, 1), np.uint64) if text is None else text.contexts()
        if contexts is not None and config.nbest == 1:
            beam = _recombined(beam, contexts, letters)
    return _nbest(beam, history, config.nbest, text, end_id)


@dataclass(frozen=True)
class _Beam:
    """The live prefixes, in no order. An empty place has total −inf."""

    blank: Floats  # [B, K] log P of the alignments so far that end in a blank
    token: Floats  # [B, K] … in the last token
    total: Floats  # [B, K] both
    fused: Floats  # [B, K] what language models added
    last: Ints  # [B, K] last token; the blank for the empty prefix
    name: Names  # [B, K]
    parent: Names  # [B, K] name of the prefix without its last token
    above: Ints  # [B, K] row among N of that prefix
    has_parent: NDArray[np.bool_]  # [B, K] whether it is alive; else ``above`` is void
    leader: Ints  # [B] place of the greedy path
    leads: NDArray[np.bool_]  # [B] False once a language model ruled that out


@dataclass(frozen=True)
class _Kept:
    """Forward variables of the prefixes that do not grow at a frame: [B, K] each."""

    blank: Floats
    token: Floats
    total: Floats


@dataclass(frozen=True)
class _Candidates:
    """Every prefix as it is and grown by every token proposed."""

    ids: Ints  # [B, W]
    grown: Floats  # [B, K × W] log P_CTC; −inf where a live prefix is that string already
    added: Floats | None  # [B, K × W] what language models add to the prefix
    ranks: Floats  # [B, K + K × W] what candidates compete by, the leader's +inf
    leader: Ints  # [B] its place in that
    leads: NDArray[np.bool_]


@dataclass(frozen=True)
class _Step:
    """Where a frame's rows came from: [B, K] each."""

    sources: Ints  # row among the N before
    tokens: Ints  # the token that was added, −1 for none


def _first(batch: int, beams: int, blank_id: int) -> _Beam:
    """The empty prefix in place 0."""
    shape = (batch, beams)
    nothing = np.full(shape, -np.inf)
    empty = nothing.copy()
    empty[:, 0] = 0.0
    name = np.full(shape, _EMPTY, np.uint64)
    name[:, 0] = _ROOT
    return _Beam(
        blank=empty,
        token=nothing,
        total=empty,
        fused=np.zeros(shape),
        last=np.full(shape, blank_id),
        name=name,
        parent=np.full(shape, _NO_PARENT, np.uint64),
        above=np.zeros(shape, np.int64),
        has_parent=np.zeros(shape, bool),
        leader=np.zeros(batch, np.int64),
        leads=np.ones(batch, bool),
    )


def _letters(vocabulary_size: int) -> Names:
    """A random number for each token, always the same ones."""
    drawn = np.random.default_rng(0).integers(3, 2**63, vocabulary_size)
    return drawn.astype(np.uint64)


def _stay(beam: _Beam, frames: Frames, t: int) -> _Kept:
    """Frame t is a blank, or the last token: repeated, or added to the parent while that lives.

    After its own kind a token needs a blank first, or the two would merge.
    """
    same = beam.last.take(beam.above) == beam.last
    fed = np.where(same, beam.blank.take(beam.above), beam.total.take(beam.above))
    fed[~beam.has_parent] = -np.inf
    token = np.logaddexp(beam.token, fed) + frames.of(t, beam.last)
    blank = beam.total + frames.blank[t][:, None]
    return _Kept(blank, token, np.logaddexp(blank, token))


def _moved(beam: _Beam, kept: _Kept) -> _Beam:
    """The same prefixes a frame later."""
    return replace(beam, blank=kept.blank, token=kept.token, total=kept.total)


def _extend(
    beam: _Beam, kept: _Kept, frames: Frames, t: int, text: PrefixText | None
) -> _Candidates:
    """All prefixes grown by frame t's tokens, beside those that stay."""
    (B, K), W = beam.total.shape, frames.widths[t]
    ids = np.ascontiguousarray(frames.ids[t, :, :W])
    log_probs = np.ascontiguousarray(frames.log_probs[t, :, :W])
    grown = beam.total[:, :, None] + log_probs[:, None, :]
    place = (beam.last[:, :, None] == ids[:, None, :]).argmax(2) + W * np.arange(B)[:, None]
    proposed = ids.take(place) == beam.last
    column, row = place % W, np.arange(B * K).reshape(B, K)
    again = (beam.blank + log_probs.take(place))[proposed]
    grown.reshape(-1)[(row * W + column)[proposed]] = again
    merged = proposed & beam.has_parent  # that mass went to the longer prefix, in `_stay`
    grown.reshape(-1)[(beam.above * W + column)[merged]] = -np.inf
    grown, staying, added = grown.reshape(B, K * W), kept.total, None
    ranks = grown
    if text is not None:
        staying = staying + beam.fused
        added = (beam.fused[:, :, None] + text.of(ids)).reshape(B, K * W)
        ranks = grown + added
    ranks = np.concatenate([staying, ranks], axis=1)
    leader = _leader(beam, ids, frames.moves[t])
    b = np.arange(B)
    leads = beam.leads & (ranks[b, leader] > -np.inf)
    ranks[b[leads], leader[leads]] = np.inf
    return _Candidates(ids, grown, added, ranks, leader, leads)


def _leader(beam: _Beam, ids: Ints, moves: NDArray[np.bool_]) -> Ints:
    """Where among the candidates the greedy path goes on: [B].

    Grown by its frame's likeliest token, it may be a string that is alive already.
    """
    (B, K), W = beam.total.shape, ids.shape[1]
    at = beam.leader + K * np.arange(B)
    child = beam.has_parent & (beam.above == at[:, None]) & (beam.last == ids[:, :1])
    grown = np.where(child.any(1), child.argmax(1), K + beam.leader * W)
    return np.where(moves, grown, beam.leader)


def _choose(
    beam: _Beam, kept: _Kept, candidates: _Candidates, letters: Names
) -> tuple[_Beam, _Step]:
    """The K best candidates of each utterance."""
    (B, K), W = beam.total.shape, candidates.ids.shape[1]
    total = K + K * W
    order = candidates.ranks.argpartition(total - K, axis=1)[:, total - K :]
    b = np.arange(B)[:, None]
    stays, grown = order < K, np.maximum(order - K, 0)
    sources = np.where(stays, order, grown // W) + K * b
    tokens = np.where(stays, -1, candidates.ids.take(grown % W + W * b))
    at = grown + K * W * b
    blank = np.where(stays, kept.blank.take(sources), -np.inf)
    token = np.where(stays, kept.token.take(sources), candidates.grown.take(at))
    whole = np.where(stays, kept.total.take(sources), token)
    fused = beam.fused.take(sources)
    if candidates.added is not None:
        fused = np.where(stays, fused, candidates.added.take(at))
    name, parent = beam.name.take(sources), beam.parent.take(sources)
    parent = np.where(stays, parent, name)
    name = np.where(stays, name, _named(name, letters.take(tokens)))
    empty = candidates.ranks.take(order + total * b) == -np.inf
    if empty.any():
        blank[empty] = token[empty] = whole[empty] = -np.inf
        name[empty], parent[empty], fused[empty], tokens[empty] = _EMPTY, _NO_PARENT, 0.0, -1
    above, has_parent = _parents(name, parent)
    chosen = _Beam(
        blank=blank,
        token=token,
        total=whole,
        fused=fused,
        last=np.where(stays, beam.last.take(sources), tokens),
        name=name,
        parent=parent,
        above=above,
        has_parent=has_parent,
        leader=(order == candidates.leader[:, None]).argmax(1),
        leads=candidates.leads,
    )
    return chosen, _Step(sources, tokens)


def _recombined(beam: _Beam, contexts: Names, letters: Names) -> _Beam:
    """Where the beam is full, without those that another outdoes; ``beam`` is used up.

    Outdone is less in both forward variables: no frames to come can turn that round, unless the
    prefix without its last token is alive, still feeds this one, and goes on to win.
    """
    ways, full = contexts ^ letters.take(beam.last), np.isfinite(beam.total).all(1, keepdims=True)
    less = ways[:, :, None] == ways[:, None, :]
    for sums, strictly in ((beam.total, True), (beam.blank, False), (beam.token, False)):
        score = sums + beam.fused
        mine, others = score[:, :, None], score[:, None, :]
        less &= mine < others if strictly else mine <= others
    dropped: NDArray[np.bool_] = less.any(axis=2) & full
    dropped[np.arange(len(dropped)), beam.leader] &= ~beam.leads
    if not dropped.any():
        return beam
    for sums in (beam.blank, beam.token, beam.total):
        sums[dropped] = -np.inf
    beam.name[dropped], beam.parent[dropped] = _EMPTY, _NO_PARENT
    above, has_parent = _parents(beam.name, beam.parent)
    return replace(beam, above=above, has_parent=has_parent)


def _parents(name: Names, parent: Names) -> tuple[Ints, NDArray[np.bool_]]:
    """The row of each prefix's parent, and whether that is alive."""
    B, K = name.shape
    above = (parent[:, :, None] == name[:, None, :]).argmax(2) + K * np.arange(B)[:, None]
    return above, name.take(above) == parent


def _named(names: Names, letters: Names) -> Names:
    """Names of strings grown by a letter: for each letter one to one, and well mixed."""
    return mixed(names ^ letters)


def _nbest(
    beam: _Beam, history: list[_Step], nbest: int, text: PrefixText | None, end_id: int
) -> list[list[Hypothesis]]:
    """The best of what is alive when the audio ends."""
    B, K = beam.total.shape
    fused = beam.fused if text is None else beam.fused + text.of_one(end_id)
    score = beam.total + fused
    order = (-score).argsort(axis=1, kind="stable")[:, :nbest] + K * np.arange(B)[:, None]
    rows = order.ravel()[np.isfinite(score.take(order.ravel()))]
    strings = _read_back(history, rows)
    found: list[list[Hypothesis]] = [[] for _ in range(B)]
    for row, tokens in zip(rows.tolist(), strings, strict=True):
        log_prob = float(beam.total.take(row))
        found[row // K].append(
            Hypothesis(
                tokens=tokens,
                score=float(score.take(row)),
                log_prob=log_prob,
                ended=True,
                ctc_log_prob=log_prob,
                lm_score=None if text is None else float(fused.take(row)),
            )
        )
    return found


def _read_back(history: list[_Step], rows: Ints) -> list[tuple[int, ...]]:
    """The strings of these rows among the last N."""
    columns = []
    for step in reversed(history):
        columns.append(step.tokens.take(rows))
        rows = step.sources.take(rows)
    if not columns:
        return [()] * len(rows)
    tokens = np.stack(columns[::-1], axis=1)
    return [tuple(line[line >= 0].tolist()) for line in tokens]
