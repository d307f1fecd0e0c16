"""The shipped corpus keeps what its README promises."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from malgwi.audio import load, load_cut
from malgwi.corpora.embedded import (
    PARTS,
    Embedded,
    EmbeddedCorpus,
    embedded_corpus,
    embedded_folder,
)
from malgwi.corpora.rows import Row
from malgwi.errors import DataError
from malgwi.manifest import speaker, text, validate
from malgwi.synthesis import VOICES
from malgwi.text.hangul import is_syllable
from malgwi.text.sentences import SentenceConfig, choose, read_collected


@pytest.fixture(scope="module")
def corpus() -> EmbeddedCorpus:
    return embedded_corpus()


def compact(written: str) -> str:
    return "".join(ch for ch in written if ch not in " .,?!")


def test_sizes_voices_and_minutes(corpus: EmbeddedCorpus) -> None:
    sizes = {part: len(getattr(corpus, part)) for part in PARTS}
    assert sizes == {"train": 1850, "dev": 100, "test": 150}
    for part in PARTS:
        voices = {speaker(cut) for cut in getattr(corpus, part)}
        assert voices == {voice.name for voice in VOICES[part]}
    assert len({voice.variant for part in VOICES.values() for voice in part}) == 37
    assert 65 < sum(cut.duration for cut in corpus.train) / 60 < 80
    ids = [cut.id for part in PARTS for cut in getattr(corpus, part)]
    assert len(set(ids)) == 2100


def test_it_fits_into_six_megabytes() -> None:
    data = embedded_folder().parent
    shipped = [p for d in ("corpus", "sentences") for p in (data / d).rglob("*") if p.is_file()]
    assert sum(path.stat().st_size for path in shipped) <= 6_000_000
    assert {path.name for path in shipped} >= {"README.md", "LICENSE-chatbot_data"}


def test_cuts_are_valid_manifests(corpus: EmbeddedCorpus) -> None:
    for part in PARTS:
        assert validate(getattr(corpus, part)) == []


def test_no_sentence_is_in_two_parts_nor_nearly(corpus: EmbeddedCorpus) -> None:
    train = [compact(text(cut)) for cut in corpus.train]
    held_out = [compact(text(cut)) for cut in (*corpus.dev, *corpus.test)]
    assert len(set(train)) == len(train)
    distances = process.cdist(held_out, train, scorer=Levenshtein.normalized_distance)
    assert distances.min() >= 0.25
    among = process.cdist(held_out, held_out, scorer=Levenshtein.normalized_distance)
    assert (among + np.eye(len(held_out))).min() >= 0.25


def test_test_syllables_are_familiar(corpus: EmbeddedCorpus) -> None:
    train = Counter("".join(text(cut) for cut in corpus.train))
    held_out = set("".join(text(cut) for cut in (*corpus.dev, *corpus.test)))
    assert min(train[ch] for ch in held_out if is_syllable(ch)) >= 10
    assert 200 < sum(map(is_syllable, held_out)) < len(set(filter(is_syllable, train))) < 450


def test_collected_lines_keep_their_source(corpus: EmbeddedCorpus) -> None:
    sources = {sentence.text: sentence.source for sentence in read_collected()}
    for part in PARTS:
        for cut in getattr(corpus, part):
            assert sources.get(text(cut), "grammar") == cut.custom["source"]
            assert cut.custom["part"] == part


def test_the_tables_are_what_the_seed_gives(corpus: EmbeddedCorpus) -> None:
    provenance = json.loads((embedded_folder() / "provenance.json").read_text("utf-8"))
    chosen = choose(SentenceConfig(**provenance["sentences"]), provenance["seed"])
    for part in PARTS:
        expected = Counter(sentence.text for sentence in chosen[part])
        assert Counter(text(cut) for cut in getattr(corpus, part)) == expected


def some_cuts(corpus: EmbeddedCorpus) -> Iterator[tuple[str, object]]:
    yield from ((cut.id, cut) for cut in (*corpus.train[::181], *corpus.test[::37]))


def test_cuts_begin_at_the_exact_sample(corpus: EmbeddedCorpus) -> None:
    for name, cut in some_cuts(corpus):
        whole = load(cut.recording.sources[0].source, sample_rate_hz=8000)
        start, size = round(cut.start * 8000), round(cut.duration * 8000)
        samples = load_cut(cut, sample_rate_hz=8000)
        error = ((samples - whole[start : start + size]) ** 2).mean()
        assert error < 1e-3 * (samples**2).mean(), name  # a shift of one sample costs 0.1 and more


def test_speech_fills_each_cut_but_its_edges(corpus: EmbeddedCorpus) -> None:
    for name, cut in some_cuts(corpus):
        samples = load_cut(cut, sample_rate_hz=8000)
        frames = samples[: samples.size // 80 * 80].reshape(-1, 80)
        power = (frames**2).mean(axis=1)
        loud = np.flatnonzero(power > 1e-3 * power.max())
        assert 4 <= loud[0] <= 35, name  # 10 ms frames: 0.08 to 0.25 s, give or take the codec
        assert 4 <= power.size - loud[-1] <= 40, name
        assert 0.02 < np.abs(samples).max() <= 1.1, name


def test_the_reader_gives_the_same_utterances(corpus: EmbeddedCorpus) -> None:
    rows = list(Embedded().rows(embedded_folder()))
    assert len(rows) == 2100
    test = [row for row in Embedded(part="test").rows(embedded_folder()) if isinstance(row, Row)]
    assert [row.utterance_id for row in test] == [cut.id for cut in corpus.test]
    assert all(row.path.is_file() for row in test)


def test_a_folder_that_is_no_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.tsv: no such file"):
        embedded_corpus(tmp_path)
    (tmp_path / "train.tsv").write_text("utterance_id\tpath\n", "utf-8")
    with pytest.raises(DataError, match="no column duration_s, source, speaker, start_s, text"):
        embedded_corpus(tmp_path)
    with pytest.raises(DataError, match="no part 'valid': choose one of train, dev, test"):
        list(Embedded(part="valid").rows(tmp_path))
