"""Batches: complete, similar in length, a function of (seed, epoch, step) and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from malgwi.augment import policy
from malgwi.batching import BatchConfig, Batches, Example
from malgwi.errors import ConfigError, DataError
from malgwi.features import FrontEnd
from malgwi.front_end import FrontEndConfig, preset

RATE = 8000


def make(durations: list[float], config: BatchConfig, seed: int = 0) -> Batches:
    random = np.random.default_rng(0)
    audio = {
        f"u{i}": random.standard_normal(int(d * RATE)).astype(np.float32)
        for i, d in enumerate(durations)
    }
    examples = [
        Example(id=f"u{i}", duration_s=d, tokens=tuple(range(4, 6 + i % 5)))
        for i, d in enumerate(durations)
    ]
    front_end = FrontEnd(replace(preset("telephone"), num_mels=8))
    return Batches(
        examples, audio, front_end, config, masking=policy("SM"), padding_id=0, seed=seed
    )


@settings(deadline=None, max_examples=50)
@given(
    durations=st.lists(st.floats(0.3, 9.0), min_size=1, max_size=60),
    max_batch_s=st.floats(9.0, 60.0),
    accumulate=st.integers(1, 3),
    epoch=st.integers(0, 5),
    views=st.integers(1, 2),
)
def test_an_epoch_holds_every_utterance_once_within_bounds(
    durations: list[float], max_batch_s: float, accumulate: int, epoch: int, views: int
) -> None:
    config = BatchConfig(
        max_batch_s=max_batch_s,
        max_batch_size=7,
        speeds=(0.9, 1.0, 1.1),
        accumulate=accumulate,
        views=views,
        length_jitter_s=0.0,
    )
    made = make([1.0], config)
    made.examples = [Example(id=str(i), duration_s=d, tokens=(4,)) for i, d in enumerate(durations)]
    steps = made.plan(epoch)
    batches = [batch for step in steps for batch in step]
    assert sorted(i for batch in batches for i, _ in batch) == list(range(len(durations)))
    assert all(len(step) == accumulate for step in steps[:-1])
    for batch in batches:
        lengths = [durations[i] / speed for i, speed in batch]
        rows = views * len(batch)
        assert rows <= 7
        assert len(batch) == 1 or max(lengths) * rows <= max_batch_s + 1e-6


def test_epochs_differ_and_repeat() -> None:
    config = BatchConfig(max_batch_s=8.0, speeds=(0.9, 1.0, 1.1))
    durations = np.random.default_rng(1).uniform(0.5, 4.0, 40).tolist()
    one, other = make(durations, config), make(durations, config)
    assert one.plan(3) == other.plan(3)
    assert one.plan(3) != one.plan(4)
    assert one.plan(3) != make(durations, config, seed=1).plan(3)


def test_a_curriculum_goes_from_short_to_long() -> None:
    durations = np.random.default_rng(1).uniform(0.5, 4.0, 40).tolist()
    config = BatchConfig(max_batch_s=8.0, curriculum_epochs=1)
    made = make(durations, config)
    longest = [max(durations[i] for i, _ in batch) for step in made.plan(0) for batch in step]
    assert longest == sorted(longest)
    assert made.plan(0) == make(durations, config).plan(0)  # what a resumed run sees
    assert made.plan(1) == make(durations, replace(config, curriculum_epochs=0)).plan(1)
    longest = [max(durations[i] for i, _ in batch) for step in made.plan(1) for batch in step]
    assert longest != sorted(longest)


def test_bucketing_keeps_padding_low() -> None:
    durations = np.random.default_rng(1).gamma(3.0, 1.2, 2000).clip(0.5, 15).tolist()
    made = make([1.0], BatchConfig(max_batch_s=80.0))
    made.examples = [Example(id=str(i), duration_s=d, tokens=(4,)) for i, d in enumerate(durations)]
    padded = sum(
        len(batch) * max(durations[i] for i, _ in batch) for step in made.plan(0) for batch in step
    )
    assert padded < 1.25 * sum(durations)


def test_a_loaded_batch_is_what_the_front_end_gives_alone() -> None:
    made = make([1.0, 0.5, 2.0], BatchConfig())
    made.masking = None
    batch = made.load([(0, 1.0), (2, 1.0), (1, 0.9)], torch.Generator())
    assert batch.ids == ("u0", "u2", "u1")
    alone = made.front_end.extract(made.audio["u2"])
    torch.testing.assert_close(batch.features[1, : batch.lengths[1]], alone, atol=1e-4, rtol=1e-4)
    assert batch.lengths[2] == pytest.approx(batch.lengths[0] * 0.5 / 0.9, abs=2)
    assert batch.tokens[0, : batch.token_lengths[0]].tolist() == [4, 5]
    assert batch.tokens.shape == (3, 4)
    assert batch.audio_s == pytest.approx(1 + 2 + 0.5 / 0.9, abs=0.01)


def test_masks_follow_the_generator() -> None:
    made = make([2.0, 2.0], BatchConfig())
    draws = [(0, 1.0), (1, 1.0)]
    first = made.load(draws, torch.Generator().manual_seed(1)).features
    again = made.load(draws, torch.Generator().manual_seed(1)).features
    other = made.load(draws, torch.Generator().manual_seed(2)).features
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("masked", [True, False])
def test_two_views_of_an_utterance_differ_by_their_masks_alone(masked: bool) -> None:
    made = make([1.0, 0.5], BatchConfig(views=2))
    made.masking = replace(policy("SM"), time_warp=0) if masked else None
    batch = made.load([(0, 1.0), (1, 1.0)], torch.Generator().manual_seed(1))
    assert (batch.ids, batch.views) == (("u0", "u1"), 2)
    assert batch.audio_s == pytest.approx(1.5, abs=0.01)
    for doubled in (batch.lengths, batch.tokens, batch.token_lengths):
        first, second = doubled.chunk(2)
        assert torch.equal(first, second)
    first, second = batch.features.chunk(2)
    assert torch.equal(first, second) is not masked
    hidden = (first == 0) | (second == 0)
    assert torch.equal(first.masked_fill(hidden, 0), second.masked_fill(hidden, 0))
    with pytest.raises(ConfigError, match=r"batches\.views is 3: it is 1 or 2"):
        BatchConfig(views=3)


def test_at_less_strength_speeds_and_masks_are_weaker_and_there_is_one_view() -> None:
    config = BatchConfig(max_batch_s=8.0, speeds=(0.8, 1.0, 1.2), views=2)
    made = make([1.0 + i / 40 for i in range(40)], config)

    def speeds(strength: float) -> set[float]:
        plan = made.plan(2, strength)
        return {round(speed, 6) for step in plan for batch in step for _, speed in batch}

    assert speeds(1.0) == {0.8, 1.0, 1.2}
    assert speeds(0.5) == {0.9, 1.0, 1.1}
    assert speeds(0.0) == {1.0}
    assert made.plan(2, 1.0) == made.plan(2)
    assert len(made.plan(2, 0.0)) < 0.6 * len(made.plan(2))  # without a second view of each

    draws = [(0, 1.0), (1, 1.0)]
    masking, made.masking = made.masking, None
    assert masking is not None
    plain = made.load(draws, torch.Generator(), 0.0).features
    made.masking = masking
    none = made.load(draws, torch.Generator().manual_seed(1), 0.0)
    assert none.views == 1
    assert torch.equal(none.features, plain)
    half, whole = (made.load(draws, torch.Generator().manual_seed(1), s) for s in (0.9, 1.0))
    assert (half.views, len(half.features), whole.views, len(whole.features)) == (1, 2, 2, 4)
    assert not torch.equal(half.features, plain)


def test_nothing_to_train_on_is_an_error() -> None:
    with pytest.raises(DataError, match="no utterance"):
        make([], BatchConfig())


def test_sounds_without_speech_come_anew_every_epoch_with_nothing_to_write() -> None:
    config = BatchConfig(max_batch_s=30.0, nonspeech_share=0.2)
    made = make([1.0 + i / 20 for i in range(40)], config)
    drawn = [
        [index for step in made.plan(e) for batch in step for index, _ in batch if index >= 40]
        for e in range(3)
    ]
    assert [len(indices) for indices in drawn] == [8, 8, 8]
    assert len({index for indices in drawn for index in indices}) == 24
    durations = {example.duration_s for example in made.examples}
    assert {made.duration_s(index) for indices in drawn for index in indices} <= durations
    loaded = made.load([(0, 1.0), (drawn[1][0], 1.0)], torch.Generator().manual_seed(0))
    again = made.load([(drawn[1][0], 1.0)], torch.Generator().manual_seed(0))
    assert loaded.token_lengths.tolist() == [2, 0]
    assert loaded.ids[1] == again.ids[0] == f"nonspeech {drawn[1][0] - 40}"
    assert again.tokens.shape == (1, 0)
    assert torch.isfinite(again.features).all()


def test_a_share_of_speech_goes_through_a_telephone_line_and_no_other_sound() -> None:
    random = np.random.default_rng(0)
    audio = {f"u{i}": random.standard_normal(32_000).astype(np.float32) for i in range(40)}
    examples = [Example(id=name, duration_s=2.0, tokens=(4,)) for name in audio]
    # 16 kHz: the upper half is more than a line carries
    front_end = FrontEnd(FrontEndConfig(normalize="none"))
    draws = [(i, 1.0) for i in range(41)]  # the last is a sound without speech

    def features(share: float, seed: int = 0) -> torch.Tensor:
        config = BatchConfig(telephone_share=share, nonspeech_share=0.1)
        made = Batches(examples, audio, front_end, config, masking=None, padding_id=0, seed=0)
        return made.load(draws, torch.Generator().manual_seed(seed)).features

    plain, sent, half = features(0.0), features(1.0), features(0.5)
    changed = (half != plain).flatten(1).any(1)
    assert 10 <= int(changed.sum()) <= 30
    assert bool((sent != plain).flatten(1).any(1)[:40].all())
    assert torch.equal(sent[40], plain[40])
    high = front_end.config.num_mels * 3 // 4  # above 4 kHz
    lost = (plain - sent)[:40, :, high:].mean() - (plain - sent)[:40, :, 10:high].mean()
    assert float(lost) > 1.0
    assert torch.equal(features(0.5), half)
    assert not torch.equal(features(0.5, seed=1), half)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"batches\.telephone_share is 1\.5, want 0 to 1"):
        BatchConfig(telephone_share=1.5)
