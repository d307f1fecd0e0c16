"""Searching a transducer: greedy, and a time-synchronous beam with equal strings merged.

At each frame a hypothesis writes up to ``symbols_per_frame`` units and then a blank, which takes
it to the next frame (Graves 2012, arXiv 1211.3711, §3; the time-synchronous form of Saon et al.
2020, *Alignment-Length Synchronous Decoding for RNN Transducer*, §2.2). Hypotheses that have
become the same string are one, with the sum of their probabilities: with a beam that is wide
enough each score is the string's, over all alignments within the bound.

The surprising choice: the greedy path is marked and never pruned, so that without a language model
a beam of any width never scores below greedy decoding. Beside its sum each string keeps its
likeliest single alignment, which gives the frame of each token.

Shapes: B utterances, K beams, R places (K or 2K), T encoder frames, U tokens, V vocabulary.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from malgwi.decoders.beam_config import BeamConfig
from malgwi.decoders.tensor_text import TensorText
from malgwi.types import Hypothesis, LanguageModel, TransducerScorer

SYMBOLS_PER_FRAME = 4


@torch.no_grad()
def transducer_greedy(
    scorer: TransducerScorer,
    *,
    start_id: int,
    end_id: int,
    blank_id: int,
    encoder_lengths: Tensor,
    symbols_per_frame: int = SYMBOLS_PER_FRAME,
) -> list[Hypothesis]:
    """The likeliest step at each node of the lattice; a blank is forced at the bound.

    Each utterance has a frame of its own, so that the batch takes as many steps as its longest
    alignment and waits for nobody.

    Args:
        scorer: The model over one encoded batch of B utterances.
        start_id: Fed first, never proposed.
        end_id: Never proposed: a transcript ends with its audio.
        blank_id: Takes the next frame.
        encoder_lengths: [B] valid frames.
        symbols_per_frame: Most units at one frame.

    Returns:
        One hypothesis an utterance; ``score`` is the log-probability of that one alignment, a
        lower bound of the string's.
    """
    B, device = len(encoder_lengths), encoder_lengths.device
    state, rows = scorer.start(1, start_id), torch.arange(B, device=device)
    frame, written = torch.zeros_like(rows), torch.zeros_like(rows)
    total = torch.zeros(B, dtype=torch.float64, device=device)
    never = torch.tensor([start_id, end_id], device=device)
    history: list[tuple[Tensor, Tensor]] = []
    while (open_rows := frame < encoder_lengths).any():
        log_probs = scorer.score(state, frame.minimum(encoder_lengths - 1))
        best, tokens = log_probs.index_fill(1, never, -torch.inf).max(-1)
        writes = (tokens != blank_id) & (written < symbols_per_frame) & open_rows
        total += torch.where(writes, best, log_probs[:, blank_id]) * open_rows
        tokens = tokens.where(writes, -1)
        history.append((tokens, frame))
        state = scorer.advance(state, rows, tokens)
        written = (written + 1) * writes
        frame = frame + (open_rows & ~writes).long()
    tokens, frames = (torch.stack(part, dim=1).cpu() for part in zip(*history, strict=True))
    return [
        _hypothesis(tokens[b], frames[b], log_prob=float(total[b]), fused=None) for b in range(B)
    ]


@torch.no_grad()
def transducer_beam(
    scorer: TransducerScorer,
    *,
    start_id: int,
    end_id: int,
    blank_id: int,
    encoder_lengths: Tensor,
    config: BeamConfig,
    symbols_per_frame: int = SYMBOLS_PER_FRAME,
    language_model: LanguageModel | None = None,
) -> list[list[Hypothesis]]:
    """The best transcripts of a batch of utterances.

    Args:
        scorer: The model over one encoded batch of B utterances.
        start_id: Fed first, never proposed.
        end_id: Never proposed; the language model's score of it is added when the audio ends.
        blank_id: Takes the next frame.
        encoder_lengths: [B] valid frames.
        config: Its ``beams`` and ``nbest``; the rest is for attention models.
        symbols_per_frame: Most units at one frame.
        language_model: What is added token by token, weights applied; hot-words too.

    Returns:
        For each utterance up to ``nbest`` distinct strings, best first. ``score`` is ``log_prob``,
        summed over the alignments that the beam held, plus ``lm_score``. None where the language
        model rules out every string of the beam.
    """
    B, K, device = len(encoder_lengths), config.beams, encoder_lengths.device
    search = _Search(scorer, language_model, B, K, start_id, device)
    never = torch.tensor([start_id, end_id, blank_id], device=device)
    beam = _first(B, K, device)
    for frame in range(int(encoder_lengths.max())):
        over = frame >= encoder_lengths
        room = int(beam.lengths().max()) + symbols_per_frame
        active = beam.with_room(room)
        beam = _no_hypotheses(active)
        for level in range(symbols_per_frame + 1):
            log_probs = search.score(torch.where(over, encoder_lengths - 1, frame))
            log_probs = _stand_still(log_probs, over, blank_id)
            leading = log_probs.index_fill(2, never[:2], -torch.inf).argmax(-1)
            stops = (leading == blank_id) | (level == symbols_per_frame)
            leaving = active.after_blank(log_probs[:, :, blank_id], stops)
            beam, kept = _merged(beam, leaving)
            if level == symbols_per_frame:
                break
            active, parents, tokens = _extended(
                active,
                log_probs.index_fill(2, never, -torch.inf),
                search.added(),
                leading.where(~stops, -1),
                floor=beam.score().amin(1),
                frame=frame,
            )
            if not active.log_prob.isfinite().any():
                break
            search.move(kept, parents + K, tokens)
        search.move(kept, kept, torch.full_like(kept, -1))
    return _ranked(beam, search.added(), end_id, config.nbest)


class _Beam(NamedTuple):
    """R places of each utterance; an empty one has ``log_prob`` −inf."""

    log_prob: Tensor  # [B, R] float64, summed over alignments
    path: Tensor  # [B, R] float64, of the likeliest alignment
    fused: Tensor  # [B, R] float64, what language models added
    greedy: Tensor  # [B, R] bool, the one string that greedy decoding writes
    tokens: Tensor  # [B, R, U], −1 after the end
    frames: Tensor  # [B, R, U], where the likeliest alignment wrote them

    def score(self) -> Tensor:
        """What hypotheses compete by: [B, R]."""
        return self.log_prob + self.fused

    def lengths(self) -> Tensor:
        """Tokens of each, 0 of an empty place: [B, R]."""
        return (self.tokens >= 0).sum(-1) * self.log_prob.isfinite()

    def at(self, places: Tensor) -> "_Beam":
        """The hypotheses at ``places`` [B, R']."""
        return _Beam(*(_gather(part, places) for part in self))

    def with_room(self, units: int) -> "_Beam":
        """The same, with room for that many tokens and no more; empty places have none."""
        missing = (0, units - self.tokens.shape[2])
        empty = self.log_prob.isneginf()[:, :, None]
        return self._replace(
            tokens=F.pad(self.tokens, missing, value=-1).masked_fill(empty, -1),
            frames=F.pad(self.frames, missing, value=-1),
        )

    def after_blank(self, blank: Tensor, stops: Tensor) -> "_Beam":
        """Each one frame later, ``blank`` [B, R]; greedy only where greedy decoding ``stops``."""
        return self._replace(
            log_prob=self.log_prob + blank, path=self.path + blank, greedy=self.greedy & stops
        )


class _Search:
    """The models' side of the beam: what they remember of each of 2K places an utterance.

    The first K places are hypotheses that have left the present frame, the others those that
    still may write in it.
    """

    def __init__(
        self,
        scorer: TransducerScorer,
        language_model: LanguageModel | None,
        batch: int,
        beams: int,
        start_id: int,
        device: torch.device,
    ) -> None:
        self._scorer = scorer
        self._text: TensorText | None = None
        self._first = 2 * beams * torch.arange(batch, device=device)[:, None]
        self._active = (self._first + beams + torch.arange(beams, device=device)).flatten()
        self._shape = (batch, beams, scorer.vocabulary_size)
        self._memory = scorer.start(2 * beams, start_id)
        if language_model is not None:
            self._text = TensorText.begin(language_model, 2 * beams * batch, device)
            self._added = self._text.score()

    def score(self, frames: Tensor) -> Tensor:
        """The transducer's log-probabilities of the active places at frames [B]: [B, K, V]."""
        copied = torch.full_like(self._active, -1)
        active = self._scorer.advance(self._memory, self._active, copied)
        return self._scorer.score(active, frames.repeat_interleave(self._shape[1])).view(
            self._shape
        )

    def added(self) -> Tensor | None:
        """What language models add to the active places: [B, K, V]."""
        return None if self._text is None else self._added[self._active].view(self._shape)

    def move(self, left: Tensor, active: Tensor, tokens: Tensor) -> None:
        """Fill both halves from ``left`` and ``active`` [B, K], the second with ``tokens`` more."""
        rows = (self._first + torch.cat([left, active], dim=1)).flatten()
        grown = torch.cat([torch.full_like(left, -1), tokens], dim=1).flatten()
        self._memory = self._scorer.advance(self._memory, rows, grown)
        if self._text is None:
            return
        self._text = self._text.advance(rows, grown)
        self._added = self._added[rows]
        if (tokens >= 0).any():  # strings that are new; of the others the scores are known
            copied = torch.full_like(self._active, -1)
            self._added[self._active] = self._text.advance(self._active, copied).score()


def _first(batch: int, beams: int, device: torch.device) -> _Beam:
    """The empty string in the first place of each utterance, greedy so far."""
    zeros = torch.zeros(batch, beams, dtype=torch.float64, device=device)
    first = torch.zeros(batch, beams, dtype=torch.bool, device=device)
    first[:, 0] = True
    certain = zeros.masked_fill(~first, -torch.inf)
    nothing = torch.full((batch, beams, 0), -1, device=device)
    return _Beam(certain, certain, zeros, first, nothing, nothing)


def _no_hypotheses(like: _Beam) -> _Beam:
    """As many places, all of them empty."""
    never = torch.full_like(like.log_prob, -torch.inf)
    nothing = torch.full_like(like.tokens, -1)
    false = torch.zeros_like(like.greedy)
    return _Beam(never, never, torch.zeros_like(never), false, nothing, nothing)


def _stand_still(log_probs: Tensor, over: Tensor, blank_id: int) -> Tensor:
    """Log-probabilities [B, K, V] where an utterance that is over can only take a sure blank."""
    log_probs = log_probs.masked_fill(over[:, None, None], -torch.inf)
    log_probs[:, :, blank_id] = log_probs[:, :, blank_id].masked_fill(over[:, None], 0.0)
    return log_probs


def _merged(left: _Beam, leaving: _Beam) -> tuple[_Beam, Tensor]:
    """The K best of both, equal strings made one, and their places [B, K] of 0 to 2K − 1.

    Strings are distinct within each of the two.
    """
    same = (left.tokens[:, :, None] == leaving.tokens[:, None]).all(-1)
    same &= left.log_prob.isfinite()[:, :, None] & leaving.log_prob.isfinite()[:, None]
    more = torch.where(same, leaving.log_prob[:, None], -torch.inf).amax(-1)
    path, other = torch.where(same, leaving.path[:, None], -torch.inf).max(-1)
    better = path > left.path
    left = left._replace(
        log_prob=torch.logaddexp(left.log_prob, more),
        path=path.maximum(left.path),
        greedy=left.greedy | (same & leaving.greedy[:, None]).any(-1),
        frames=torch.where(better[..., None], _gather(leaving.frames, other), left.frames),
    )
    gone = leaving.log_prob.masked_fill(same.any(1), -torch.inf)
    leaving = leaving._replace(log_prob=gone, greedy=leaving.greedy & gone.isfinite())
    both = _Beam(*(torch.cat(pair, dim=1) for pair in zip(left, leaving, strict=True)))
    rank = both.score().masked_fill(both.greedy, torch.inf)
    places = rank.topk(left.log_prob.shape[1], dim=1).indices
    return both.at(places), places


def _extended(
    active: _Beam,
    log_probs: Tensor,
    added: Tensor | None,
    greedy_tokens: Tensor,
    *,
    floor: Tensor,
    frame: int,
) -> tuple[_Beam, Tensor, Tensor]:
    """The K best strings that are one token longer.

    Args:
        active: K hypotheses.
        log_probs: [B, K, V] of each next token; −inf where it may not be written.
        added: [B, K, V] what language models add to it.
        greedy_tokens: [B, K] what greedy decoding would write, −1 for a blank.
        floor: [B] score of the worst of K hypotheses that have left the frame, below which
            nothing is worth following; −inf while there are fewer.
        frame: Where it is written.

    Returns:
        The longer hypotheses, the places of their parents [B, K], and the tokens [B, K].
    """
    K, V = log_probs.shape[1:]
    gained = log_probs.double() if added is None else log_probs.double() + added
    gained = gained.masked_fill(log_probs.isneginf(), -torch.inf)
    rank = active.score()[:, :, None] + gained
    follows = active.greedy & (greedy_tokens >= 0)
    marked = F.one_hot(greedy_tokens.clamp(min=0), V).bool() & follows[:, :, None]
    chosen = rank.masked_fill(marked, torch.inf).flatten(1).topk(K, dim=1).indices
    parents, tokens = chosen // V, chosen % V
    score, greedy = rank.flatten(1).gather(1, chosen), marked.flatten(1).gather(1, chosen)
    alive = score.isfinite() & (greedy | (score > floor[:, None]))
    longer = active.at(parents)
    step = log_probs.flatten(1).gather(1, chosen).double()
    fused = longer.fused if added is None else longer.fused + added.flatten(1).gather(1, chosen)
    end = (longer.tokens >= 0).sum(-1, keepdim=True)
    longer = _Beam(
        log_prob=(longer.log_prob + step).masked_fill(~alive, -torch.inf),
        path=(longer.path + step).masked_fill(~alive, -torch.inf),
        fused=fused.masked_fill(~alive, 0.0),
        greedy=greedy & alive,
        tokens=longer.tokens.scatter(2, end, tokens[:, :, None]),
        frames=longer.frames.scatter(2, end, frame),
    )
    return longer, parents, tokens.where(alive, -1)


def _ranked(beam: _Beam, added: Tensor | None, end_id: int, nbest: int) -> list[list[Hypothesis]]:
    """The best of each utterance after its end."""
    if added is not None:
        beam = beam._replace(fused=beam.fused + added[:, :, end_id])
    order = beam.score().argsort(dim=1, descending=True, stable=True)[:, :nbest]
    best = _Beam(*(part.cpu() for part in beam.at(order)))
    fused = None if added is None else best.fused
    return [
        [
            _hypothesis(
                best.tokens[b, k],
                best.frames[b, k],
                log_prob=float(best.log_prob[b, k]),
                fused=None if fused is None else float(fused[b, k]),
            )
            for k in range(order.shape[1])
            if best.score()[b, k].isfinite()
        ]
        for b in range(len(order))
    ]


def _hypothesis(
    tokens: Tensor, frames: Tensor, *, log_prob: float, fused: float | None
) -> Hypothesis:
    """From tokens and frames [U], −1 where no token is."""
    exist = tokens >= 0
    return Hypothesis(
        tokens=tuple(tokens[exist].tolist()),
        score=log_prob + (fused or 0.0),
        log_prob=log_prob,
        ended=True,
        lm_score=fused,
        frames=tuple(frames[exist].tolist()),
    )


def _gather(values: Tensor, places: Tensor) -> Tensor:
    """values [B, R, …] at places [B, R'] → [B, R', …]."""
    shape = places.shape + (1,) * (values.dim() - 2)
    return values.gather(1, places.view(shape).expand(*places.shape, *values.shape[2:]))
