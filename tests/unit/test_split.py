"""Splits keep every corpus, the sizes and the strata, drop little, and say what they could not."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lhotse.cut import MonoCut

from malgwi import manifest
from malgwi.cli import main
from malgwi.errors import ConfigError, DataError
from malgwi.manifest import Facts, new_cut
from malgwi.split import DROPPED, Plan, Split, SplitConfig, plan, split
from malgwi.split.linkage import Gathering
from malgwi.text.scripts import script


def utterance(
    name: str, speaker: str | None, text: str, duration_s: float = 1.0, **custom: Any
) -> MonoCut:
    return new_cut(
        name, Path(f"/{name}.wav"), sample_rate_hz=1_000, num_samples=round(1_000 * duration_s),
        text=text, speaker=speaker, custom=custom or None,
    )  # fmt: skip


def corpus(name: str, speakers: int, each: int, shared_texts: int = 0) -> list[MonoCut]:
    """Speakers who each read ``each`` texts, the first ``shared_texts`` of them all alike."""
    return [
        utterance(
            f"{name}-{s}-{i}", f"{name}{s}", f"함께 {i}" if i < shared_texts else f"{name} {s} {i}"
        )
        for s in range(speakers)
        for i in range(each)
    ]


def planned(rows: list[tuple[str, str]], config: SplitConfig) -> Plan:
    """The plan for utterances of one second, given as speakers and texts."""
    gathering = Gathering(config.stratify)
    for n, (speaker, text) in enumerate(rows):
        gathering.add("x", Facts(
            id=f"u{n:05d}", text=text, speaker=speaker, path="", start_s=0.0, duration_s=1.0,
            channel=0, sample_rate_hz=0, custom={}, line={},
        ))  # fmt: skip
    return plan(gathering.linked(config.max_distance), config)


def shares(found: Plan) -> dict[int, float]:
    counts = Counter(found.part.tolist())
    return {part: count / len(found.part) for part, count in counts.items()}


def speakers(cuts: list[MonoCut]) -> set[str | None]:
    return {manifest.speaker(c) for c in cuts}


def scripts(cuts: list[MonoCut]) -> set[str]:
    return {script(manifest.text(c)) for c in cuts}


def assert_disjoint(result: Split) -> None:
    parts = list(result.parts.values())
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            assert not speakers(first) & speakers(second)
            assert not scripts(first) & scripts(second)


def test_every_corpus_is_represented_at_the_asked_size() -> None:
    cuts = {"가": corpus("가", 30, 10), "나": corpus("나", 40, 5)}
    result = split(cuts, SplitConfig(dev=0.1, test=0.1))
    for part in ("dev", "test"):
        sizes = Counter(str(c.id)[0] for c in result.parts[part])
        assert sizes == {"가": 30, "나": 20}
    assert not result.dropped
    assert not result.warnings


def test_speakers_whose_texts_nobody_else_reads_are_preferred() -> None:
    common = [utterance(f"c{s}-{i}", f"c{s}", f"공통 {i}") for s in range(20) for i in range(5)]
    alone = [utterance(f"a{s}-{i}", f"a{s}", f"혼자 {s} {i}") for s in range(4) for i in range(5)]
    result = split({"x": common + alone}, SplitConfig(dev=0.08))
    assert speakers(result.parts["dev"]) <= {f"a{s}" for s in range(4)}
    assert not result.dropped


def test_greetings_that_all_say_are_dropped_where_few_say_them() -> None:
    result = split({"x": corpus("x", 20, 20, shared_texts=1)}, SplitConfig(dev=0.1))
    assert_disjoint(result)
    assert scripts(result.dropped) == {script("함께 0")}
    assert speakers(result.dropped) == speakers(result.parts["dev"])
    assert (len(result.dropped), len(result.parts["dev"])) == (2, 38)


def test_two_speakers_of_the_same_texts_are_divided_by_texts_too() -> None:
    cuts = [utterance(f"{s}{i}", s, f"글 {i}") for s in "가나" for i in range(100)]
    result = split({"x": cuts}, SplitConfig(dev=0.1))
    assert_disjoint(result)
    assert len(result.parts["dev"]) == pytest.approx(20, rel=0.1)
    assert len(result.dropped) == 100  # each text loses one of its two readers, whatever is done
    assert result.warnings == [
        "instead of dropping so many: --yield speaker drops nothing, and 100.0% of dev share a "
        "speaker with train; --yield script drops nothing, and 100.0% of dev share a script with "
        "train"
    ]


def test_everybody_reading_from_one_list_costs_about_what_it_must() -> None:
    """Shares x of speakers and y of scripts, x·y wanted: least is lost at x = y = √0.1."""
    generator = np.random.default_rng(0)
    rows = [(f"s{s}", f"글 {t}") for s, t in generator.integers(0, 60, (3000, 2))]
    found = planned(rows, SplitConfig(dev=0.1))
    assert shares(found)[1] == pytest.approx(0.1, rel=0.1)
    x = 0.1**0.5
    assert shares(found)[DROPPED] < 2 * x * (1 - x)


def test_groups_joined_by_greetings_are_taken_whole() -> None:
    """Forty groups of five speakers, each with a list of its own; everybody says hello."""
    rows = [
        (f"s{group}-{s}", f"{group} 의 글 {t}")
        for group in range(40) for s in range(5) for t in range(10)
    ]  # fmt: skip
    rows += [(f"s{group}-{s}", "안녕하세요") for group in range(40) for s in range(5)]
    found = planned(rows, SplitConfig(dev=0.1, test=0.1, max_distance=0, candidates=300))
    assert (found.components, found.largest_component) == (1, 1.0)
    parts = Counter(
        zip(found.part.tolist(), (text == "안녕하세요" for _, text in rows), strict=True)
    )
    assert parts == {
        (0, False): 1600, (1, False): 200, (2, False): 200, (0, True): 160, (DROPPED, True): 40,
    }  # fmt: skip


@pytest.mark.parametrize(("yields", "kept"), [("speaker", 1), ("script", 0)])
def test_a_relation_that_yields_keeps_every_utterance(yields: Any, kept: int) -> None:
    rows = [(f"s{s}", f"글 {t}") for s in range(10) for t in range(s, s + 10)]
    found = planned(rows, SplitConfig(dev=0.1, yields=yields, max_distance=0))
    assert DROPPED not in found.part
    assert 0.09 <= shares(found)[1] <= 0.11
    parts = [{row[kept] for row, p in zip(rows, found.part, strict=True) if p == n} for n in (0, 1)]
    assert not parts[0] & parts[1]


def test_no_relation_yields_where_nothing_need_be_lost() -> None:
    cuts = corpus("x", 20, 10)
    for yields in ("speaker", "script"):
        assert_disjoint(split({"x": cuts}, SplitConfig(dev=0.1, yields=yields)))


@pytest.mark.parametrize("how", ["speaker", "script"])
def test_disjoint_in_one_relation_drops_nothing(how: Any) -> None:
    cuts = corpus("x", 20, 10, shared_texts=5)
    result = split({"x": cuts}, SplitConfig(dev=0.1, how=how))
    assert not result.dropped
    of = {"speaker": speakers, "script": scripts}
    assert not of[how](result.parts["train"]) & of[how](result.parts["dev"])
    assert len(result.parts["dev"]) == pytest.approx(20, rel=0.1)


def test_near_duplicates_stay_together_unless_they_are_to_be_different() -> None:
    cuts = [
        utterance(f"u{n}-{k}", f"s{n}{k}", chr(0xAC00 + 99 * n) * 6 + text)
        for n in range(20)
        for k, text in enumerate(["전화번호 맞으십니까", "전화번호 맞으십니다"])
    ]
    together = split({"x": cuts}, SplitConfig(dev=0.2, max_distance=0.1))
    numbers = [{str(c.id)[:-2] for c in part} for part in together.parts.values()]
    assert not numbers[0] & numbers[1]
    apart = split({"x": cuts}, SplitConfig(dev=0.2, max_distance=0.0))
    numbers = [{str(c.id)[:-2] for c in part} for part in apart.parts.values()]
    assert numbers[0] & numbers[1]


def test_a_speaker_of_two_corpora_stays_in_one_part() -> None:
    first = [utterance(f"a{s}{i}", f"s{s}", f"가 {s} {i}") for s in range(10) for i in range(4)]
    second = [utterance(f"b{s}{i}", f"s{s}", f"나 {s} {i}") for s in range(10) for i in range(4)]
    result = split({"a": first, "b": second}, SplitConfig(dev=0.2, test=0.2))
    assert_disjoint(result)
    assert len(result.parts["dev"]) == len(result.parts["test"]) == 16


def test_strata_have_the_same_shares_in_every_part() -> None:
    cuts = [
        utterance(
            f"u{s}-{i}", f"s{s}", f"글 {s} {i}", duration_s=1.0 + s % 10 + i / 100,
            line=("mobile" if s % 3 else "landline"), noise=s % 2 == 0,
        )
        for s in range(60)
        for i in range(4)
    ]  # fmt: skip
    columns = ("line", "duration", "noise")
    config = SplitConfig(dev=0.2, stratify=columns)
    gathering = Gathering(columns)
    for cut in cuts:
        gathering.add("x", manifest.cut_facts(cut))
    found = plan(gathering.linked(0.0), config)
    dev = found.imbalance["dev"]
    assert dev["line"] < 0.02
    assert dev["noise"] < 0.02
    assert dev["duration"] < 0.15  # twelve speakers cannot be 2.4 of each of five bins
    held = split({"x": cuts}, SplitConfig(dev=0.2, stratify=("line",))).parts["dev"]
    shares_of_mobile = [
        sum(c.duration for c in part if c.custom["line"] == "mobile")
        / sum(c.duration for c in part)
        for part in (held, cuts)
    ]
    assert shares_of_mobile[0] == pytest.approx(shares_of_mobile[1], abs=0.02)
    with pytest.raises(ConfigError, match="no utterance has a column 'room' to stratify by"):
        split({"x": cuts}, SplitConfig(dev=0.2, stratify=("room",)))


def test_random_splits_leak() -> None:
    cuts = corpus("x", 10, 30, shared_texts=15)
    result = split({"x": cuts}, SplitConfig(dev=0.1, how="random"))
    assert len(speakers(result.parts["train"]) & speakers(result.parts["dev"])) > 5
    assert len(scripts(result.parts["train"]) & scripts(result.parts["dev"])) > 5
    assert len(result.parts["dev"]) == 30
    assert not result.dropped
    other = split({"x": cuts}, SplitConfig(dev=0.1, how="random", seed=1))
    assert other.parts["dev"] != result.parts["dev"]


def test_a_speaker_too_large_is_kept_whole_and_reported() -> None:
    cuts = [utterance(f"{s}{i}", s, f"{s} {i}") for s in "ab" for i in range(10)]
    result = split({"둘": cuts}, SplitConfig(dev=0.1))
    assert [len(part) for part in result.parts.values()] == [10, 10]
    (warning,) = result.warnings
    assert warning == (
        "둘: dev has 50.0% of it, 10.0% was asked, and nothing nearer was found: its 2 speakers "
        "and 20 scripts hang together in 2 groups, the largest with 50.0% of its utterances; "
        "--yield speaker or --yield script may come nearer, and says what leaks"
    )


def test_what_cannot_be_split_is_refused() -> None:
    config = SplitConfig(dev=0.1)
    with pytest.raises(DataError, match="the dev part would be empty"):
        split({"x": [utterance("u", "s", "혼자")]}, config)
    same = [utterance(f"{s}", f"s{s}", "모두 같은 말") for s in range(10)]
    with pytest.raises(DataError, match="be empty: 10 speakers and 1 scripts cannot be divided"):
        split({"x": same}, config)
    with pytest.raises(DataError, match="utterance x-0-0 stands in a and in b"):
        split({"a": corpus("x", 3, 3), "b": corpus("x", 3, 3)}, config)
    for sizes in ({"dev": 0.0}, {"dev": 0.6, "test": 0.5}, {"dev": 0.1, "test": -0.1}):
        with pytest.raises(ConfigError, match="are shares of the whole"):
            SplitConfig(**sizes)
    with pytest.raises(ConfigError, match="seed=-1"):
        SplitConfig(seed=-1)
    with pytest.raises(ConfigError, match="of how='disjoint', not 'random'"):
        SplitConfig(how="random", yields="speaker")


@pytest.mark.parametrize("yields", ["speaker", "script"])
def test_the_cost_of_yielding_is_what_yielding_costs(yields: Any) -> None:
    """Half of the texts are read by everybody: a lot would be dropped."""
    cuts = corpus("x", 8, 20, shared_texts=14)
    config = SplitConfig(dev=0.2, test=0.2)
    (said,) = [w for w in split({"x": cuts}, config).warnings if w.startswith("instead of")]
    result = split({"x": cuts}, replace(config, yields=yields))
    sides = {
        name: [
            manifest.speaker(c) if yields == "speaker" else script(manifest.text(c)) for c in part
        ]
        for name, part in result.parts.items()
    }
    leaking = {
        name: sum(side in set(sides["train"]) for side in sides[name]) / len(sides[name])
        for name in ("dev", "test")
    }
    assert leaking["dev"] > 0
    assert (
        f"--yield {yields} drops nothing, and {leaking['dev']:.1%} of dev and "
        f"{leaking['test']:.1%} of test share a {yields} with train"
    ) in said


def test_a_way_out_that_is_none_is_not_recommended() -> None:
    """One text for all: it cannot be divided by texts; one speaker, and not by speakers either."""
    same = [utterance(f"{s}", f"s{s}", "모두 같은 말") for s in range(10)]
    with pytest.raises(DataError) as refused:
        split({"x": same}, SplitConfig(dev=0.1))
    assert "--yield speaker is impossible, too; --yield script drops nothing" in str(refused.value)
    with pytest.raises(DataError) as refused:
        split({"x": same}, SplitConfig(dev=0.1, yields="speaker"))
    assert "--yield speaker" not in str(refused.value)


def test_unknown_speakers_are_refused_or_taken_for_themselves() -> None:
    cuts = [utterance(f"u{i:02d}", None, f"글 {i}") for i in range(40)]
    with pytest.raises(DataError, match="utterance u00 has no speaker"):
        split({"x": cuts}, SplitConfig(dev=0.1))
    result = split({"x": cuts}, SplitConfig(dev=0.1, unknown_speakers="own"))
    assert len(result.parts["dev"]) == 4
    assert len(split({"x": cuts}, SplitConfig(dev=0.1, how="script")).parts["dev"]) == 4


def test_utterances_without_text_do_not_hang_together() -> None:
    cuts = [utterance(f"u{i}", f"s{i}", "") for i in range(20)]
    assert len(split({"x": cuts}, SplitConfig(dev=0.1)).parts["dev"]) == 2


def written(folder: Path, cuts: list[MonoCut]) -> Path:
    manifest.write(cuts, folder / "all.jsonl")
    return folder / "all.jsonl"


def test_the_command_writes_parts_and_an_audit_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = corpus("x", 20, 20, shared_texts=1)
    path = written(tmp_path / "in", cuts)
    main(["split", str(path), str(tmp_path / "out"), "--dev", "0.1", "--test", "0.1"])
    said = capsys.readouterr().out
    assert "holds 100.0% of the utterances, so 4 (1.0%) were dropped; --yield speaker or" in said
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert "Nothing leaks by" in page
    audited = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert {name: part["utterances"] for name, part in audited["parts"].items()} == {
        "train": 320, "dev": 38, "test": 38,
    }  # fmt: skip
    report = json.loads((tmp_path / "out" / "split.json").read_text())
    assert report["leaks"] is False
    assert report["components"] == {"count": 1, "largest_share": 1.0}
    assert {name: part["utterances"] for name, part in report["parts"].items()} == {
        "train": 320, "dev": 38, "test": 38, "dropped": 4,
    }  # fmt: skip
    assert [(k["first"], k["second"], k["relation"], k["leaking"]) for k in report["leakage"]] == [
        (first, second, relation, 0)
        for first, second in (("train", "dev"), ("train", "test"), ("dev", "test"))
        for relation in ("speaker", "script", "near_script", "audio")
    ]
    again = [
        cut
        for name in report["parts"]
        for cut in manifest.stream(tmp_path / "out" / f"{name}.jsonl")
    ]
    assert sorted(again, key=lambda c: c.id) == sorted(cuts, key=lambda c: c.id)


def test_numbers_of_utterances_are_no_speakers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cuts = [utterance(f"u{n:02d}", f"s{n}", f"글 {n}") for n in range(60)]
    path = written(tmp_path / "in", cuts)
    main(["split", str(path), str(tmp_path / "out"), "--dev", "0.1", "--test", "0.1"])
    said = capsys.readouterr().out
    assert "48 speakers for 48 utterances: the label seems to number utterances" in said
    assert "so that people may stand in several parts" in said
    main(["split", str(path), str(tmp_path / "out"), "--dev", "0.1"])
    assert f"removed {tmp_path / 'out' / 'test.jsonl'}" in capsys.readouterr().out
    assert not (tmp_path / "out" / "test.jsonl").exists()


def test_what_yields_is_counted_in_the_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, corpus("x", 20, 20, shared_texts=20))
    main(["split", str(path), str(tmp_path / "out"), "--yield", "speaker"])
    said = capsys.readouterr().out
    assert "leak: dev: 40 of 40 utterances (100.0%), 20 of 20 speakers, share a speaker" in said
    report = json.loads((tmp_path / "out" / "split.json").read_text())
    assert report["leaks"] is True
    assert report["settings"]["yields"] == "speaker"
    assert report["parts"]["dropped"]["utterances"] == 0
    assert {k["relation"]: k["share"] for k in report["leakage"]} == {
        "speaker": 1.0, "script": 0.0, "near_script": 0.0, "audio": 0.0,
    }  # fmt: skip


def test_a_split_into_its_own_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would leave nothing of the manifest, and take the test part beside it away."""
    cuts = corpus("x", 20, 20)
    path = tmp_path / "train.jsonl"
    manifest.write(cuts, path)
    before = path.read_bytes()
    with pytest.raises(SystemExit) as stopped:
        main(["split", str(path), str(tmp_path / ".." / tmp_path.name), "--dev", "0.1"])
    assert stopped.value.code == 2
    assert "name another folder" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["train.jsonl"]


def test_nothing_to_divide_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(SystemExit):
        main(["split", str(tmp_path / "empty.jsonl"), str(tmp_path / "out")])
    assert "hold no utterances" in capsys.readouterr().err


def test_copied_lines_are_what_writing_the_cuts_gives(tmp_path: Path) -> None:
    cuts = [
        new_cut(
            name, path, sample_rate_hz=8_000, num_samples=8_000, text="네", speaker="가",
            custom={"part": "dev"},
        )
        for name, path in {"in": tmp_path / "in" / "a" / "u.wav", "out": Path("/far/u.wav")}.items()
    ]  # fmt: skip
    path = written(tmp_path / "in", cuts)
    for folder in (tmp_path, tmp_path / "in", tmp_path / "out"):
        manifest.write(cuts, folder / "want.jsonl")
        copied = "".join(manifest.rebased_lines(path, folder))
        assert copied == (folder / "want.jsonl").read_text(encoding="utf-8"), folder


def test_facts_of_a_cut_are_those_of_its_line(tmp_path: Path) -> None:
    cut = utterance("u", "가", "말", 2.5, line="mobile")
    (from_line,) = manifest.facts(written(tmp_path, [cut]))
    from_cut = manifest.cut_facts(cut)
    for name in Facts.__slots__:
        assert name == "line" or getattr(from_cut, name) == getattr(from_line, name)
