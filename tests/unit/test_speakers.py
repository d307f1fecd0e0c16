"""Voices: cepstra, mixture, embedding and clustering on known answers; their metrics by count."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from malgwi.audio import load
from malgwi.corpora.embedded import Embedded, embedded_folder
from malgwi.corpora.rows import Row
from malgwi.errors import AudioError, ConfigError, DataError
from malgwi.metrics.clustering import equal_error_rate, pairwise_score
from malgwi.spectral import mel_filters
from malgwi.voices import mixture
from malgwi.voices.cepstra import CepstraConfig, mel_bands, speech_cepstra
from malgwi.voices.embedding import (
    VoiceConfig,
    VoiceModel,
    _projection,
    learn_voices,
    voice_embedding,
)
from malgwi.voices.speakers import estimate_speakers

RATE = 8000
VOICES, PER_VOICE = 12, 6


def same_partition(a, b) -> bool:
    """Equal but for the names of the clusters."""
    return len(set(zip(a, b, strict=True))) == len(set(a)) == len(set(b))


# --- metrics, against counting every pair -----------------------------------------------------

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=25)


@given(labels)
def test_pairwise_score_counts_pairs(drawn):
    truth, guess = [a for a, _ in drawn], [b for _, b in drawn]
    pairs = list(combinations(range(len(drawn)), 2))
    score = pairwise_score(truth, guess)
    assert score.alike == sum(truth[i] == truth[j] for i, j in pairs)
    assert score.together == sum(guess[i] == guess[j] for i, j in pairs)
    assert score.both == sum(truth[i] == truth[j] and guess[i] == guess[j] for i, j in pairs)
    if score.both:
        harmonic = 2 / (1 / score.precision + 1 / score.recall)
        assert score.f1 == pytest.approx(harmonic)


def test_pairwise_score_without_pairs_is_nan():
    assert np.isnan(pairwise_score([], []).f1)
    assert np.isnan(pairwise_score("abc", "abc").precision)
    assert pairwise_score("aab", "abb").f1 == 0
    with pytest.raises(ConfigError, match="3 true labels for 2"):
        pairwise_score("aab", "ab")


def brute_force_eer(scores, alike) -> list[float]:
    """Every threshold in turn: the mean rate at each of those where the two are closest."""
    found = []
    for threshold in [np.inf, *sorted(set(scores), reverse=True)]:
        misses = np.mean([s < threshold for s, same in zip(scores, alike, strict=True) if same])
        alarms = np.mean(
            [s >= threshold for s, same in zip(scores, alike, strict=True) if not same]
        )
        found.append((abs(misses - alarms), (misses + alarms) / 2))
    least = min(gap for gap, _ in found)
    return [rate for gap, rate in found if gap <= least + 1e-9]


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_equal_error_rate_tries_every_threshold(drawn):
    scores, alike = np.array([s / 10 for s, _ in drawn]), np.array([same for _, same in drawn])
    found = equal_error_rate(scores, alike)
    if alike.all() or not alike.any():
        assert np.isnan(found)
    else:
        assert any(found == pytest.approx(rate) for rate in brute_force_eer(scores, alike))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(1, 3)), min_size=2))
def test_a_weight_is_a_pair_counted_again(drawn):
    scores, alike, weights = (np.array(column) for column in zip(*drawn, strict=True))
    weighted = equal_error_rate(scores, alike, weights)
    repeated = equal_error_rate(np.repeat(scores, weights), np.repeat(alike, weights))
    assert weighted == pytest.approx(repeated, nan_ok=True)


def test_equal_error_rate_of_two_normal_distributions():
    """Means two standard deviations apart cross at one: 15.87 %."""
    draw = np.random.default_rng(0).standard_normal
    scores = np.concatenate([draw(20_000) + 2, draw(20_000)])
    assert equal_error_rate(scores, np.arange(40_000) < 20_000) == pytest.approx(0.1587, abs=0.005)


# --- clustering, against scipy ----------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 60),
    st.integers(2, 6),
    st.floats(0.05, 1.5),
    st.integers(0, 2**16),
)
def test_clusters_are_those_of_scipy(count, dimensions, threshold, seed):
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, dimensions)) + 2 * rng.integers(2, size=(count, 1))
    tree = linkage(points, "average", metric="cosine")
    expected = fcluster(tree, threshold, "distance")
    assert same_partition(estimate_speakers(points, threshold=threshold), expected)
    for known in {1, count // 2 + 1, count}:
        cut = fcluster(tree, known, "maxclust")
        assert same_partition(estimate_speakers(points, num_speakers=known), cut)


def test_many_clusters_are_those_of_scipy():
    """Enough for joined clusters to be cleared away several times, in the middle of a chain."""
    rng = np.random.default_rng(3)
    points = rng.standard_normal((40, 8))[rng.integers(40, size=700)]
    points += 0.6 * rng.standard_normal(points.shape)
    tree = linkage(points, "average", metric="cosine")
    for threshold in (0.2, 0.5, 0.8):
        found = estimate_speakers(points, threshold=threshold)
        assert same_partition(found, fcluster(tree, threshold, "distance"))


@given(st.permutations(range(30)))
def test_the_order_of_utterances_changes_names_only(order):
    points = np.random.default_rng(7).standard_normal((30, 4))
    before, after = estimate_speakers(points), estimate_speakers(points[order])
    assert same_partition(before[order], after)


def test_equal_voices_are_one_speaker_and_labels_follow_the_first_occurrence():
    points = np.repeat([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]], 200, axis=0)
    assert estimate_speakers(points).tolist() == [0] * 200 + [1] * 200 + [0] * 200
    assert estimate_speakers(np.empty((0, 4))).tolist() == []
    assert estimate_speakers(np.ones((1, 4))).tolist() == [0]


def test_clustering_refuses_what_it_cannot_do():
    points = np.eye(3)
    with pytest.raises(ConfigError, match="not both"):
        estimate_speakers(points, threshold=0.5, num_speakers=2)
    with pytest.raises(ConfigError, match="between 0 and 2"):
        estimate_speakers(points, threshold=3.0)
    with pytest.raises(ConfigError, match="num_speakers is 4"):
        estimate_speakers(points, num_speakers=4)
    for bad in (0.0, np.nan, np.inf):
        with pytest.raises(DataError, match="embedding 1 is zero or not finite"):
            estimate_speakers(np.array([[1.0, 0.0], [bad, 0.0], [0.0, 1.0]]))
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        estimate_speakers(np.ones(3))


# --- mixture and cepstra ----------------------------------------------------------------------


def log_likelihood(fitted: mixture.Mixture, frames) -> float:
    """By the definition, one component at a time."""
    density = np.zeros(len(frames))
    for weight, mean, variance in zip(fitted.weights, fitted.means, fitted.variances, strict=True):
        exponent = -0.5 * ((frames - mean) ** 2 / variance).sum(axis=1)
        density += weight * np.exp(exponent) / np.sqrt(np.prod(2 * np.pi * variance))
    return float(np.log(density).mean())


def test_each_round_makes_the_frames_likelier():
    rng = np.random.default_rng(1)
    frames = np.concatenate([rng.standard_normal((300, 2)), 4 + rng.standard_normal((200, 2))])
    rounds = [
        log_likelihood(mixture.fit(frames, components=3, iterations=n), frames) for n in range(7)
    ]
    assert all(after >= before - 1e-9 for before, after in pairwise(rounds))
    assert rounds[-1] > rounds[0] + 0.1


def test_statistics_are_sums_over_responsibilities():
    frames = np.random.default_rng(2).standard_normal((50, 3))
    fitted = mixture.fit(frames, components=4)
    shares = fitted.responsibilities(frames)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    counts, sums = fitted.statistics(frames)
    offsets = frames[:, None, :] - fitted.means[None]
    np.testing.assert_allclose(counts, shares.sum(axis=0))
    np.testing.assert_allclose(sums, (shares[..., None] * offsets).sum(axis=0), atol=1e-9)
    with pytest.raises(DataError, match="needs as many frames, found 50"):
        mixture.fit(frames, components=51)


def test_mel_bands_are_those_of_the_front_end():
    config = CepstraConfig()
    expected = mel_filters(
        sample_rate_hz=RATE,
        n_fft=512,
        num_mels=config.num_mels,
        f_min_hz=config.band_hz[0],
        f_max_hz=config.band_hz[1],
        scale="htk",
        norm=None,
    )
    np.testing.assert_allclose(mel_bands(config), expected.numpy(), atol=1e-6)


def test_pauses_are_not_speech_and_gain_changes_nothing():
    rng = np.random.default_rng(0)
    speech = rng.standard_normal(RATE).astype(np.float32) * 0.1
    whole = speech_cepstra(speech, RATE)
    paused = speech_cepstra(np.concatenate([speech, np.zeros(2 * RATE, np.float32)]), RATE)
    assert abs(len(paused) - len(whole)) <= 5
    np.testing.assert_allclose(speech_cepstra(speech * 1e-3, RATE), whole, atol=1e-3)


def test_cepstra_refuse_what_is_not_one_channel_of_speech():
    with pytest.raises(AudioError, match=r"shape \(10, 2\)"):
        speech_cepstra(np.zeros((10, 2)), RATE)
    with pytest.raises(AudioError, match="6000 Hz"):
        speech_cepstra(np.zeros(10), 6000)
    with pytest.raises(AudioError, match="not finite"):
        speech_cepstra(np.array([0.0, np.nan]), RATE)
    with pytest.raises(ConfigError, match="band_hz"):
        CepstraConfig(band_hz=(3400, 300))
    with pytest.raises(ConfigError, match="num_cepstra 24"):
        CepstraConfig(num_cepstra=24)
    assert speech_cepstra(np.zeros(0), 16_000).shape == (0, 16)


# --- embedding, on the synthetic voices -------------------------------------------------------


@pytest.fixture(scope="module")
def voices():
    """Six utterances of twelve synthetic voices, each over a line of its own."""
    by_voice: dict[str, list[Row]] = {}
    for row in Embedded(part="train").rows(embedded_folder()):
        assert isinstance(row, Row)
        by_voice.setdefault(row.speaker, []).append(row)
    chosen = [row for name in sorted(by_voice)[:VOICES] for row in by_voice[name][:PER_VOICE]]
    return [
        (
            load(row.path, sample_rate_hz=RATE, start_s=row.start_s, duration_s=row.duration_s),
            row.speaker,
        )
        for row in chosen
    ]


@pytest.fixture(scope="module")
def model(voices) -> VoiceModel:
    return learn_voices([(samples, RATE) for samples, _ in voices])


@pytest.fixture(scope="module")
def vectors(voices, model):
    return np.stack([voice_embedding(samples, RATE, model) for samples, _ in voices])


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_synthetic_voices_are_told_apart(voices, vectors):
    """Bounds are a little wider than what was measured: 5.6 % and 94 %."""
    speakers = [speaker for _, speaker in voices]
    pairs = list(combinations(range(len(vectors)), 2))
    scores = np.array([cosine(vectors[i], vectors[j]) for i, j in pairs])
    alike = np.array([speakers[i] == speakers[j] for i, j in pairs])
    assert scores[alike].mean() > scores[~alike].mean() + 0.3
    assert equal_error_rate(scores, alike) < 0.08
    guess = estimate_speakers(vectors, num_speakers=VOICES)
    assert pairwise_score(speakers, guess.tolist()).f1 > 0.85


def test_an_embedding_ignores_gain_and_repeats_exactly(voices, model):
    samples, _ = voices[0]
    once = voice_embedding(samples, RATE, model)
    assert once.shape == (model.config.dimensions,)
    assert once.dtype == np.float64
    np.testing.assert_array_equal(once, voice_embedding(samples.copy(), RATE, model))
    np.testing.assert_allclose(voice_embedding(samples * 0.01, RATE, model), once, atol=1e-2)


def test_an_embedding_ignores_the_sample_rate(voices, model):
    samples, _ = voices[0]
    doubled = soxr.resample(samples, RATE, 2 * RATE)
    assert cosine(
        voice_embedding(doubled, 2 * RATE, model), voice_embedding(samples, RATE, model)
    ) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
def test_silence_has_no_voice(model, seconds):
    silence = np.zeros(int(seconds * RATE), np.float32)
    with pytest.raises(AudioError, match=r"0\.00 s of speech.*leave this utterance out"):
        voice_embedding(silence, RATE, model)


def test_learning_again_gives_the_same_model_and_another_seed_another(voices, model):
    utterances = [(samples, RATE) for samples, _ in voices]
    again = learn_voices(utterances)
    np.testing.assert_array_equal(again.projection, model.projection)
    other = learn_voices(utterances, VoiceConfig(seed=1))
    assert not np.array_equal(other.projection, model.projection)
    assert again.num_utterances == len(voices)


def test_silent_utterances_teach_nothing_and_too_few_are_refused(voices, model):
    utterances = [(samples, RATE) for samples, _ in voices]
    silent = learn_voices([*utterances, (np.zeros(RATE, np.float32), RATE)])
    np.testing.assert_array_equal(silent.projection, model.projection)
    with pytest.raises(DataError, match=r"10 utterances .* needs 60"):
        learn_voices(utterances[:10])


def test_what_differs_between_halves_is_whitened():
    """One voice varies by as much in every direction of the embedding, and in none more."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((30, 30))
    whole, differences = rng.standard_normal((100, 30)), rng.standard_normal((100, 30)) @ mixing
    projection = _projection(whole, differences, VoiceConfig(dimensions=8, shrinkage=1e-12))
    np.testing.assert_allclose(np.cov((differences @ projection).T), np.eye(8), atol=1e-6)


def test_the_embedding_has_the_dimensions_asked_for(voices, model):
    small = learn_voices([(samples, RATE) for samples, _ in voices], VoiceConfig(dimensions=1))
    assert small.projection.shape == (model.projection.shape[0], 1)
    with pytest.raises(ConfigError, match="dimensions 0"):
        VoiceConfig(dimensions=0)
    with pytest.raises(ConfigError, match="shrinkage"):
        VoiceConfig(shrinkage=0.0)
