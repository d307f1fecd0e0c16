"""Conformer: attention by distance, exact fronts, a decoder that steps as it was trained."""

from dataclasses import replace

import pytest
import torch
from debug_models import BLANK, DEBUG, END, SIZE, START, WIDTH, batch, make, objective
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.decoders.attention_beam import BeamConfig, beam_search
from malgwi.decoders.greedy import attention_greedy
from malgwi.errors import ConfigError
from malgwi.models.conformer import Conformer, ConformerConfig
from malgwi.nn.conformer_block import (
    ConformerEncoderConfig,
    RelativeAttention,
    from_distances,
)
from malgwi.nn.e_branchformer_block import ConvolutionalGating, Merger
from malgwi.nn.initialize import check_start
from malgwi.nn.positions import sinusoids
from malgwi.nn.subsampling import Subsampling, SubsamplingConfig
from malgwi.nn.transformer_decoder import TransformerDecoderConfig
from malgwi.optim import OptimConfig, build_optimizer
from malgwi.types import NarrowingScorer

ENCODER = ConformerEncoderConfig(layers=1, units=16, heads=2, kernel=5, dropout=0.0)


def debug() -> Conformer:
    model = make(DEBUG["conformer"])
    assert isinstance(model, Conformer)
    return model.eval()


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(1, 9))
def test_scores_by_distance_come_to_their_pairs(frames: int) -> None:
    scores = torch.randn(1, 2, frames, 2 * frames - 1)
    found = from_distances(scores)
    for i in range(frames):
        for j in range(frames):
            # column n holds distance frames − 1 − n
            assert torch.equal(found[..., i, j], scores[..., i, frames - 1 - (i - j)])


def test_attention_is_the_papers_sum_of_content_and_distance() -> None:
    torch.manual_seed(0)
    layer = RelativeAttention(ENCODER)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x, frames, width = torch.randn(1, 4, 16), 4, 8
    mask = torch.tensor([[True, True, True, False]])
    positions = sinusoids(torch.arange(3, -4, -1), 16)
    normed = layer.norm(x)[0]
    parts = (layer.query(normed), layer.key(normed), layer.value(normed))
    contexts = torch.zeros(frames, 16)
    for head in range(2):
        own = slice(head * width, (head + 1) * width)
        query, key, value = (part[:, own] for part in parts)
        u, v = layer.content_bias[head, 0], layer.distance_bias[head, 0]
        energies = torch.full((frames, frames), -torch.inf)
        for i in range(frames):
            for j in range(3):
                distance = layer.distance(sinusoids(torch.tensor([i - j]), 16))[0, own]
                energies[i, j] = (query[i] + u) @ key[j] + (query[i] + v) @ distance
        contexts[:, own] = (energies / width**0.5).softmax(-1) @ value
    wanted = layer.merge(contexts)
    torch.testing.assert_close(layer(x, mask, positions)[0], wanted, atol=1e-5, rtol=1e-4)


def test_branches_are_gated_and_merged_as_the_papers_say() -> None:
    torch.manual_seed(0)
    config = replace(ENCODER, kernel=3)
    gating, merger = ConvolutionalGating(config), Merger(config)
    x, frames = torch.randn(1, 4, 16), 4
    mask = torch.tensor([[True, True, True, False]])

    def beside(convolution: torch.nn.Conv1d, values: torch.Tensor, i: int) -> torch.Tensor:
        around = [(k, i + k - 1) for k in range(3) if 0 <= i + k - 1 < 3]
        summed = sum(convolution.weight[:, 0, k] * values[j] for k, j in around)
        assert convolution.bias is not None
        return summed + convolution.bias

    left, right = torch.nn.functional.gelu(gating.widen(gating.norm(x[0]))).split(32, dim=1)
    gate, far = gating.gate_norm(right), torch.randn(1, 4, 16)
    near = gating(x, mask)
    merged = merger(far, near, mask)
    both = torch.cat([far[0], near[0]], dim=1)
    for i in range(frames - 1):
        gated = left[i] * (1 + beside(gating.depthwise, gate, i))
        torch.testing.assert_close(near[0, i], gating.narrow(gated), atol=1e-5, rtol=1e-4)
        wanted = merger.narrow(both[i] + beside(merger.depthwise, both, i))
        torch.testing.assert_close(merged[0, i], wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "factor"), [("stack", 3), ("stack", 8), ("conv", 4), ("separable", 8)]
)
@pytest.mark.parametrize(
    ("block", "conv_norm"),
    [("conformer", "batch"), ("conformer", "layer"), ("e_branchformer", "layer")],
)
def test_every_front_block_and_norm_is_exact_under_padding(
    kind: str, factor: int, block: str, conv_norm: str
) -> None:
    config = ConformerConfig(
        front=SubsamplingConfig(kind=kind, factor=factor, channels=4),  # type: ignore[arg-type]
        encoder=ConformerEncoderConfig(
            layers=2,
            units=16,
            heads=2,
            block=block,  # type: ignore[arg-type]
            kernel=5,
            conv_norm=conv_norm,  # type: ignore[arg-type]
        ),
        decoder=None,
    )
    model, given_batch = make(config), batch()
    model.encode(given_batch.features, given_batch.lengths)
    model.eval()
    together = model.encode(given_batch.features, given_batch.lengths)
    assert together.lengths.tolist() == [-(-n // factor) for n in (61, 42, 23)]
    for row, length in enumerate((61, 42, 23)):
        one = slice(row, row + 1)
        alone = model.encode(given_batch.features[one, :length], given_batch.lengths[one])
        kept = together.memory[row, : int(alone.lengths)]
        torch.testing.assert_close(alone.memory[0], kept, atol=1e-5, rtol=1e-5)


def test_an_e_branchformer_starts_soundly_and_learns_with_every_parameter() -> None:
    small = DEBUG["conformer"]
    assert isinstance(small, ConformerConfig)
    config = replace(small, encoder=replace(small.encoder, block="e_branchformer"), decoder=None)
    model, batches, loss_of = make(config).train(), [batch(4), batch(5)], objective(config)
    assert check_start(model, lambda: loss_of.at_start(model, batches[0]), SIZE).warnings == ()
    optimizer, losses = build_optimizer(model, OptimConfig(learning_rate=5e-3)), []
    for step in range(20):
        loss, _ = loss_of(model, batches[step % 2], step / 20, None)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            unmoved = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
            assert [name for name in unmoved if not name.endswith("key.bias")] == []
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.75 * losses[0]


def test_stepping_gives_the_teacher_forced_scores_whatever_the_order_of_beams() -> None:
    model, given_batch, beams = debug(), batch(), 3
    encoded = model.encode(given_batch.features, given_batch.lengths)
    logits = model.write(given_batch.tokens, encoded)
    scorer = model.scorer(encoded)
    assert isinstance(scorer, NarrowingScorer)
    assert scorer.vocabulary_size == SIZE
    state = scorer.start(beams)
    for step in range(given_batch.tokens.shape[1]):
        rows = given_batch.tokens[:, step].repeat_interleave(beams)
        log_probs, attention, state = scorer.step(rows, state)
        wanted = logits[:, step].log_softmax(-1).repeat_interleave(beams, 0)
        torch.testing.assert_close(log_probs, wanted, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(attention.sum(-1), torch.ones(9), atol=1e-5, rtol=0)
        for row, frames in enumerate(encoded.lengths.tolist()):
            assert not attention[row * beams, frames:].any()
        state = scorer.select(state, torch.arange(9).view(3, 3).flip(1).flatten())


def test_a_narrowed_scorer_goes_on_as_the_wide_one_would() -> None:
    model, given_batch, beams = debug(), batch(), 2
    scorer = model.scorer(model.encode(given_batch.features, given_batch.lengths))
    tokens = torch.tensor([START, START, START, START, START, START])
    _, _, state = scorer.step(tokens, scorer.start(beams))
    further = torch.tensor([3, 4, 5, 6, 7, 8])
    wide, _, _ = scorer.step(further, state)
    rows = torch.tensor([0, 1, 4, 5])
    narrow = scorer.narrow(torch.tensor([0, 2]))
    found, attention, _ = narrow.step(further[rows], narrow.select(state, rows))
    torch.testing.assert_close(found, wide[rows], atol=1e-6, rtol=1e-5)
    assert attention.shape[0] == 4


def test_a_beam_search_works_with_it_and_begins_with_greedy() -> None:
    model, given_batch = debug(), batch()
    encoded = model.encode(given_batch.features, given_batch.lengths)
    search = {
        "start_id": START,
        "end_id": END,
        "encoder_lengths": encoded.lengths,
        "max_lengths": torch.tensor([8, 8, 8]),
        "blank_id": BLANK,
    }
    scorer = model.scorer(encoded)
    greedy = attention_greedy(scorer, **search)
    config = BeamConfig(beams=4, length_normalization=0.0)
    found = beam_search(scorer, config=config, **search)
    for best, plain in zip(found, greedy, strict=True):
        assert best[0].log_prob >= plain.log_prob - 1e-5
        assert not {START, END, BLANK} & set(best[0].tokens)
    joint = BeamConfig(beams=4, ctc_weight=0.5)
    assert beam_search(scorer, config=joint, ctc_log_probs=encoded.ctc_log_probs, **search)


@pytest.mark.parametrize("rank", [None, 0, 3])
def test_both_heads_take_the_composed_outputs(rank: int | None) -> None:
    letters = [(-1, -1, -1)] * 4 + [(i, 0, 0) for i in range(SIZE - 4)]
    config = ConformerConfig(encoder=ENCODER, composed_output=True, output_rank=rank)
    model, given_batch = Conformer(WIDTH, SIZE, config, letters).eval(), batch()
    encoded = model.encode(given_batch.features, given_batch.lengths)
    assert encoded.ctc_log_probs is not None
    assert encoded.ctc_log_probs.shape[-1] == model.scorer(encoded).vocabulary_size == SIZE
    assert model.write(given_batch.tokens, encoded).shape[-1] == SIZE
    with pytest.raises(ConfigError, match="letters missing"):
        Conformer(WIDTH, SIZE, config)


def test_separable_convolutions_cost_less_than_full_ones() -> None:
    def size(kind: str) -> int:
        front = Subsampling(80, 144, SubsamplingConfig(kind=kind, factor=8))  # type: ignore[arg-type]
        return sum(p.numel() for p in front.convs.parameters())

    assert size("conv") > 8 * size("separable")
    assert size("stack") == 0


def test_the_papers_small_encoder_has_about_ten_million_parameters() -> None:
    """Table 1 counts 10.3 M with the transducer's decoder, which we do not have."""
    front = SubsamplingConfig(kind="conv", factor=4, channels=144)
    with torch.device("meta"):
        model = Conformer(80, 1000, ConformerConfig(front=front, decoder=None, ctc=True))
    parts = sum(p.numel() for part in (model.front, model.encoder) for p in part.parameters())
    assert 8e6 < parts < 10.3e6


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(ConfigError, match="no output"):
        ConformerConfig(ctc=False, decoder=None)
    with pytest.raises(ConfigError, match="must be odd"):
        ConformerEncoderConfig(kernel=32)
    with pytest.raises(ConfigError, match="divisible by the 3 heads"):
        ConformerEncoderConfig(units=16, heads=3)
    with pytest.raises(ConfigError, match="a power of two"):
        SubsamplingConfig(kind="conv", factor=6)
    model, given_batch = debug(), batch()
    encoded = model.encode(given_batch.features, given_batch.lengths)
    with pytest.raises(ConfigError, match=r"objective\.sampling is 0\.1"):
        model.write(given_batch.tokens, encoded, sampling=0.1)
    with pytest.raises(ConfigError, match=r"decoder\.heads is 3"):
        make(ConformerConfig(encoder=ENCODER, decoder=TransformerDecoderConfig(heads=3)))
