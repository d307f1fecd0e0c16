"""``malgwi score``: what it prints, and each thing it refuses."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from malgwi import cli
from malgwi.cli.score import normalizer_of
from malgwi.errors import ConfigError, DataError
from malgwi.metrics.countings import COLUMNS, KEEP, TREATMENTS
from malgwi.metrics.error_rate import countable
from malgwi.metrics.passport import references_hash
from malgwi.text.normalize import NormalizerConfig
from malgwi.transcripts import read_texts

METRICS = ("cer_nospace", "cer", "wer", "swer", "mer")


@pytest.fixture
def files(tmp_path):
    """Write texts as lines of a file and return its path."""

    def write(name, *lines):
        path = tmp_path / name
        path.write_bytes("\n".join(lines).encode())
        return path

    return write


def run(capsys, *args):
    cli.main(["score", *map(str, args)])
    return capsys.readouterr().out


def test_json_has_exactly_the_promised_keys(files, capsys):
    ref = files("r.tsv", "a\t커피 한 잔 주세요", "b\t네")
    hyp = files("h.tsv", "b\t네", "a\t커피 한잔 주세요")
    record = json.loads(run(capsys, "--ref", ref, "--hyp", hyp, "--json"))
    beside = {"passport", "intervals", "countings"}
    assert set(record) == {*METRICS, "counting", "crr", *beside}
    for metric in METRICS:
        assert list(record[metric]) == [
            "rate",
            "hits",
            "substitutions",
            "deletions",
            "insertions",
            "reference",
        ]
    assert record["cer_nospace"]["rate"] == 0.0
    assert record["crr"] == 100.0
    assert record["wer"] == {
        "rate": 0.4,
        "hits": 3,
        "substitutions": 1,
        "deletions": 1,
        "insertions": 0,
        "reference": 5,
    }
    assert record["counting"]["normalizer"]["settings"] is None


def test_table_names_every_metric_with_rate_counts_and_interval(files, capsys):
    ref = files("r.tsv", "a\t커피 한 잔 주세요", "b\t네")
    hyp = files("h.tsv", "a\t커피 한장 주세요", "b\t네")
    printed = run(capsys, "--ref", ref, "--hyp", hyp, "--method", "percentile")
    for expected in ("CER without spaces", "sWER", "12.50 %", "0.00 – 14.29", "CRR 87.50"):
        assert expected in printed
    assert "intervals (percentile), the widest shown above: by utterance (2) 0.00 – 14" in printed
    assert "normaliser: none" in printed
    assert re.search(r"fingerprint c[0-9a-f]{8}-r[0-9a-f]{8}: ", printed)


def test_what_is_printed_fits_a_terminal(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ref = files("r.tsv", *(f"{i}\t커피 한 잔, 주세요 {'네 ' * 50}" for i in range(600)))
    hyp = files("h.tsv", *(f"{i}\t{'네 ' * (i % 60)}" for i in range(600)))
    printed = run(capsys, "--ref", ref, "--hyp", hyp)
    row = next(line for line in printed.splitlines() if "CER with spaces" in line)
    assert re.search(r"%  +[0-9.]+ – [0-9.]+ ", row)  # no figure is broken or cut
    assert "…" not in printed
    caption = printed[printed.index("CER is without spaces") :].splitlines()
    assert caption[1].startswith("them; mean: of the utterances' rates; * the same figures")


def test_intervals_by_speaker_and_script_the_widest_first(files, capsys):
    lines = [f"{i}\t{'가나다라마'[i % 5]}나다라" for i in range(40)]
    heard = [line[:-1] + "마" * (i % 8 == 0) for i, line in enumerate(lines)]
    ref, hyp = files("r.tsv", *lines), files("h.tsv", *heard)
    speakers = files("s.tsv", *(f"{i}\tspeaker-{i % 8}" for i in range(40)), "x\tpark")
    args = ("--ref", ref, "--hyp", hyp, "--json")
    by_text = json.loads(run(capsys, *args))["intervals"]["cer_nospace"]
    assert {by_text["by"], *(i["by"] for i in by_text["narrower"])} == {"utterance", "script"}
    found = json.loads(run(capsys, *args, "--speakers", speakers))["intervals"]["cer_nospace"]
    kinds = [found["by"], *(i["by"] for i in found["narrower"])]
    assert set(kinds) == {"utterance", "script", "speaker", "speaker and script"}
    widths = [i["high"] - i["low"] for i in (found, *found["narrower"])]
    assert widths == sorted(widths, reverse=True)
    only = json.loads(run(capsys, *args, "--speakers", speakers, "--by", "speaker"))
    found = only["intervals"]["cer"]
    assert {found["by"], *(i["by"] for i in found["narrower"])} == {"utterance", "speaker"}


def test_an_utterance_without_speaker_is_named(files, capsys):
    ref = files("r.tsv", "a\t가", "b\t나", "c\t다")
    with pytest.raises(SystemExit):
        run(capsys, "--ref", ref, "--hyp", ref, "--speakers", files("t.tsv", "a\tkim"))
    assert "2 of 3 utterances have no speaker, the first is 'b'" in capsys.readouterr().err


def test_clusters_come_from_keys_of_the_reference_or_from_a_manifest(files, capsys):
    lines = [
        {"id": str(i), "text": "가나" * (i + 1), "speaker": f"s{i % 3}", "room": "가나"[i % 2]}
        for i in range(12)
    ]
    ref = files("r.jsonl", *map(json.dumps, lines))
    kinds = units_by_kind(run(capsys, "--ref", ref, "--hyp", ref, "--json", "--by", "room"))
    assert kinds == {"utterance": 12, "room": 2}
    cuts = [cut(line, custom={"part": "dev" if i < 6 else "test"}) for i, line in enumerate(lines)]
    manifest, plain = (
        files("cuts.jsonl", *map(json.dumps, cuts)),
        files("r.tsv", *(f"{line['id']}\t{line['text']}" for line in lines)),
    )
    args = ("--ref", plain, "--hyp", plain, "--json", "--manifest", manifest)
    assert units_by_kind(run(capsys, *args)) == {"utterance": 12, "speaker": 3}
    asked = units_by_kind(run(capsys, *args, "--by", "part"))
    assert asked == {"utterance": 12, "part": 2}
    with pytest.raises(SystemExit):
        run(capsys, *args, "--by", "dialect")
    assert "--by dialect: nothing says the dialect" in capsys.readouterr().err


def test_a_channel_that_the_manifest_names_goes_before_its_number(files, capsys):
    lines = [{"id": str(i), "text": "가나" * (i + 1), "speaker": "s"} for i in range(12)]
    cuts = [cut(x, custom={"channel": ["mobile", "line"][i % 2]}) for i, x in enumerate(lines)]
    manifest = files("cuts.jsonl", *map(json.dumps, cuts))
    ref = files("r.tsv", *(f"{line['id']}\t{line['text']}" for line in lines))
    args = ("--ref", ref, "--hyp", ref, "--json", "--manifest", manifest, "--by", "channel")
    assert units_by_kind(run(capsys, *args)) == {"utterance": 12, "channel": 2}


def test_a_report_names_kinds_of_error_and_where_they_are(files, tmp_path, capsys):
    said = ["콘텐츠가 좋아요", "내가 갈게", "밥을 먹어요", "학교에 간다"]
    heard = ["컨텐츠가 좋아요", "네가 갈게", "밥을 머거요", "학교 간다"]
    lines = [{"id": str(i), "text": t, "speaker": f"s{i % 2}"} for i, t in enumerate(said)]
    manifest = files("cuts.jsonl", *(json.dumps(cut(line)) for line in lines))
    ref = files("r.tsv", *(f"{i}\t{text}" for i, text in enumerate(said)))
    hyp = files("h.tsv", *(f"{i}\t{text}" for i, text in enumerate(heard)))
    args = ("--ref", ref, "--hyp", hyp, "--report", tmp_path / "out")
    assert str(tmp_path / "out" / "report.html") in run(capsys, *args, "--manifest", manifest)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "컨텐츠" in page
    record = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    plain = json.loads(run(capsys, "--ref", ref, "--hyp", hyp, "--json"))
    assert record["scores"]["cer_nospace"] == plain["cer_nospace"]
    counted = {name: kind["count"] for name, kind in record["error_kinds"]["kinds"].items()}
    found = {name for name, count in counted.items() if count}
    assert {"loanword", "liaison", "particle"} <= found, found
    assert [group["label"] for group in record["breakdown"]["speaker"]] == ["s0", "s1"]
    assert record["breakdown"]["duration"]
    run(capsys, *args, "--json")
    alone = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert not any(alone["breakdown"].values())


def test_a_report_knows_of_each_utterance_what_any_file_says(files, tmp_path, capsys):
    """Speakers of a JSON-lines reference, channels that are numbers; no duration is not 0 s."""
    said = [("a", "네", "s1", 2), ("b", "아니요", "s2", 1)]
    keys = ("id", "text", "speaker", "channel")
    ref = files("r.jsonl", *(json.dumps(dict(zip(keys, line, strict=True))) for line in said))
    hyp = files("h.tsv", "a\t네", "b\t아니")
    run(capsys, "--ref", ref, "--hyp", hyp, "--report", tmp_path / "out")
    record = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    labels = {name: [g["label"] for g in groups] for name, groups in record["breakdown"].items()}
    assert labels == {
        "duration": [],
        "speaking_rate": [],
        "channel": ["1", "2"],
        "speaker": ["s2", "s1"],
    }
    assert {u["id"]: u["duration_s"] for u in record["utterances"]} == {"a": None, "b": None}
    assert "0.0 s" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_report_plays_whole_files_of_one_channel_and_no_others(files, tmp_path, capsys):
    def line(name, *, start_s=0.0, duration_s=1.0, channels=1):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.zeros((8000, channels)), 8000)
        source = {"type": "file", "channels": list(range(channels)), "source": str(path)}
        recording = {"id": name, "sources": [source], "sampling_rate": 8000, "num_samples": 8000}
        recording |= {"duration": 1.0, "channel_ids": list(range(channels))}
        place = {"start": start_s, "duration": duration_s, "recording": recording}
        return cut({"id": name, "text": "네", "speaker": "s"}, **place)

    cuts = [line("whole"), line("side", channels=2)]
    cuts += [line("late", start_s=0.5, duration_s=0.5), line("early", duration_s=0.5)]
    manifest = files("cuts.jsonl", *map(json.dumps, cuts))
    ref = files("r.tsv", *(f"{one['id']}\t네" for one in cuts))
    args = ("--ref", ref, "--hyp", ref, "--manifest", manifest, "--report", tmp_path / "out")
    run(capsys, *args)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    articles = re.findall(r'<article[^>]*data-id="(\w+)"(.*?)</article>', page, re.DOTALL)
    assert {name: "<audio" in inside for name, inside in articles} == {
        "whole": True,
        "side": False,
        "late": False,
        "early": False,
    }


def test_a_report_into_a_file_is_refused(files, capsys):
    ref = files("r.tsv", "a\t네")
    for place in (ref, ref / "x"):
        with pytest.raises(SystemExit):
            run(capsys, "--ref", ref, "--hyp", ref, "--report", place)
        assert "a file stands there" in capsys.readouterr().err


def test_a_match_without_countings_is_refused(files, capsys):
    ref = files("r.tsv", "a\t네")
    with pytest.raises(SystemExit):
        run(capsys, "--ref", ref, "--hyp", ref, "--match", "0.1", "--countings", "no")
    assert "--countings no asks for none" in capsys.readouterr().err


def test_a_manifest_of_other_utterances_is_refused(files, capsys):
    manifest = files("cuts.jsonl", json.dumps(cut({"id": "x", "text": "네", "speaker": "s"})))
    ref = files("r.tsv", "a\t네", "b\t아니요")
    with pytest.raises(SystemExit):
        run(capsys, "--ref", ref, "--hyp", ref, "--manifest", manifest)
    assert "cuts.jsonl has none of the 2 utterances, such as 'a'" in capsys.readouterr().err


def units_by_kind(printed):
    found = json.loads(printed)["intervals"]["cer"]
    return {
        i["by"]: i["units"] for i in (found, *found.get("narrower", ())) if " and " not in i["by"]
    }


def cut(line, **more):
    """A Lhotse cut as a manifest writes it, without a recording."""
    said = {"id": line["id"], "text": line["text"], "speaker": line["speaker"]}
    said |= {"recording_id": line["id"], "start": 0, "duration": 1.0, "channel": 0}
    base = {"id": line["id"], "start": 0, "duration": 1.0, "channel": 0, "type": "MonoCut"}
    return {**base, "supervisions": [said], **more}


# --- every counting ---------------------------------------------------------------------------


def figures(record):
    return {(f["text"], f["metric"], f["average"]): f["rate"] for f in record["countings"]}


def test_every_counting_stands_side_by_side(files, capsys):
    ref = files("r.tsv", "a\t아/ (3시)/(세 시)에, 커피!", "b\t네 네")
    hyp = files("h.tsv", "a\t아 세 시에 커피", "b\t네네")
    record = json.loads(run(capsys, "--ref", ref, "--hyp", hyp, "--json"))
    found = figures(record)
    assert set(found) == {
        (text, metric, average)
        for text in TREATMENTS
        for metric in COLUMNS
        for average in ("corpus", "mean")
    }
    for metric in METRICS:  # without --normalize the main figures are those of the text as written
        assert found["nfc", metric, "corpus"] == record[metric]["rate"]
    assert found["pronunciation_no_punctuation", "cer_nospace", "corpus"] == 0.0
    assert found["spelling_no_punctuation", "cer_nospace", "corpus"] == 1 / 8  # 3 for 세
    assert found["pronunciation", "cer_nospace", "corpus"] == 2 / 10  # the comma and the mark
    assert found["pronunciation_no_punctuation", "cer", "mean"] == pytest.approx((0 + 1 / 3) / 2)
    plain = files("p.tsv", "a\t네 네")
    shorter = json.loads(run(capsys, "--ref", plain, "--hyp", plain, "--json"))
    assert not any(text.startswith("spelling") for text, _, _ in figures(shorter))


def test_a_published_figure_finds_its_counting(files, capsys):
    ref = files("r.tsv", "a\t커피, 한 잔 주세요.", "b\t네")
    hyp = files("h.tsv", "a\t커피 한장 주세요", "b\t네")
    args = ("--ref", ref, "--hyp", hyp, "--match", "0.125")
    match = json.loads(run(capsys, *args, "--json"))["match"]
    assert match["rate"] == 0.125
    nearest = match["nearest"][0]
    assert (nearest["rate"], nearest["metric"]) == (0.125, "cer_nospace")
    assert nearest["text"] == "no_punctuation"
    printed = run(capsys, *args)
    after = printed.split("nearest to 12.50 %:\n")[1].splitlines()[0]
    assert after.split("  ")[-1].startswith("CER without spaces, over the corpus")


def test_a_published_figure_in_percent_is_refused(files, capsys):
    ref = files("r.tsv", "a\t네")
    with pytest.raises(SystemExit):
        run(capsys, "--ref", ref, "--hyp", ref, "--match", "7.33")
    assert "--match 7.33: give a rate between 0 and 1" in capsys.readouterr().err


def test_other_countings_can_be_left_out(files, capsys):
    ref = files("r.tsv", "a\t네")
    record = json.loads(run(capsys, "--ref", ref, "--hyp", ref, "--json", "--countings", "no"))
    assert "countings" not in record
    assert "as others count" not in run(capsys, "--ref", ref, "--hyp", ref, "--countings", "no")


def test_passport_names_references_and_counting(files, capsys):
    ref = files("r.tsv", "a\t 네  네", "b\t응")
    args = ("--ref", ref, "--hyp", ref, "--json")
    passport = json.loads(run(capsys, *args))["passport"]
    assert passport["references"] == {
        "hash": references_hash([("b", "응"), ("a", "네 네")]),
        "utterances": 2,
    }
    assert (passport["punctuation"], passport["view"]) == ("counted", "as written")
    other = json.loads(run(capsys, *args, "--normalize", "punctuation=drop"))["passport"]
    assert other["fingerprint"] != passport["fingerprint"]
    assert other["references"] == passport["references"]


def test_jsonl_equals_tsv(files):
    tsv = files("r.tsv", "a\t가 나", "b\t")
    lines = ['{"id": "a", "text": "가 나", "score": -1.5}', "", '{"text": "", "id": "b"}']
    assert read_texts(tsv) == read_texts(files("r.jsonl", *lines))
    assert read_texts(tsv) == read_texts(files("named-otherwise.txt", *lines))


def test_ids_in_the_same_order_are_shared(files):
    first = read_texts(files("r.tsv", "a-1\t가", "b-2\t나", "c-3\t다"))
    other = read_texts(files("h.tsv", "a-1\t라", "x-9\t마", "c-3\t바"), first)
    assert other == {"a-1": "라", "x-9": "마", "c-3": "바"}
    ids, others = list(first), list(other)
    assert ids[0] is others[0]
    assert ids[2] is others[2]


def test_windows_files_and_odd_line_separators_inside_texts(files):
    path = files("r.tsv", "\ufeffa\t가\r", "b\t나\u2028다\r", "\r", "")
    assert read_texts(path) == {"a": "가", "b": "나\u2028다"}


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("r.tsv", ["a\t가", "b"], r"r\.tsv, line 2: expected ID<TAB>TEXT, found 0 tabs in 'b'"),
        ("r.tsv", ["a\t가\t나"], r"line 1: .* found 2 tabs"),
        ("r.tsv", ["\t가"], "line 1: the id before the tab is empty"),
        ("r.tsv", ["id\ttext", "a\t가"], "line 1 looks like a header"),
        ("r.tsv", ["a\t가", "b\t나", "a\t다"], "line 3: the id 'a' already stands in line 1"),
        ("r.jsonl", ['{"id": "a", "text": "가"}', "{"], "line 2: not a JSON object"),
        ("r.jsonl", ["a\t가"], "line 1: not a JSON object"),
        ("r.jsonl", ["[1]"], 'line 1: expected an object with "id"'),
        ("r.jsonl", ['{"id": "a"}'], 'line 1: "text" must be a string, found None'),
        ("r.jsonl", ['{"id": 1, "text": ""}'], 'line 1: "id" must be a string, found 1'),
        ("r.jsonl", ['{"id": "", "text": ""}'], "line 1: the id is empty"),
    ],
)
def test_malformed_lines_are_named(files, name, lines, message):
    with pytest.raises(DataError, match=message):
        read_texts(files(name, *lines))


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.tsv cannot be read: No such file"):
        read_texts(tmp_path / "nowhere.tsv")
    path = tmp_path / "old.tsv"
    path.write_bytes("a\t말귀".encode("cp949"))
    with pytest.raises(DataError, match=r"not UTF-8 .* iconv -f cp949"):
        read_texts(path)


def test_missing_and_extra_ids_end_with_status_2(files, capsys):
    ref, hyp = files("r.tsv", "a\t가", "b\t나"), files("h.tsv", "b\t나", "z\t다")
    with pytest.raises(SystemExit) as caught:
        run(capsys, "--ref", ref, "--hyp", hyp)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "have no hypothesis: 'a'" in message
    assert "have no reference: 'z'" in message


def test_nothing_to_score_is_an_error(files, capsys):
    empty = files("r.tsv", "")
    with pytest.raises(SystemExit):
        run(capsys, "--ref", empty, "--hyp", empty)
    assert "holds no utterance" in capsys.readouterr().err


def test_normaliser_is_off_unless_asked_and_recorded_when_used(files, capsys):
    ref, hyp = files("r.tsv", "a\tOK, 3시"), files("h.tsv", "a\tok 3시")
    args = ("--ref", ref, "--hyp", hyp, "--json")
    assert json.loads(run(capsys, *args))["cer_nospace"]["rate"] == 3 / 5
    record = json.loads(run(capsys, *args, "--normalize", "punctuation=drop", "case=lower"))
    assert record["cer_nospace"]["rate"] == 0.0
    settings = record["counting"]["normalizer"]["settings"]
    assert (settings["case"], settings["digits"]) == ("lower", "keep")
    record = json.loads(run(capsys, *args, "--normalize", "default"))
    assert record["counting"]["normalizer"]["settings"]["digits"] == "hangul"


def test_normaliser_settings_on_the_command_line():
    assert normalizer_of(None) is None
    assert normalizer_of([]) == normalizer_of(["default"]) == NormalizerConfig()
    assert normalizer_of(["default", "case=lower"]) == NormalizerConfig(case="lower")
    with pytest.raises(ConfigError, match=r"did you mean punctuation=drop\|keep\?"):
        normalizer_of(["punctation=drop"])
    with pytest.raises(ConfigError, match="Give 'default', or FIELD=VALUE"):
        normalizer_of(["drop"])
    with pytest.raises(ConfigError, match="'up'; known are"):
        normalizer_of(["case=up"])


def test_keep_changes_no_ordinary_text():
    text = "아/ (70%)/(칠십 프로), ㅋㅋ OK 3.5% 그+ 무슨* 뜻? ＡＢ①½"
    assert countable(text, KEEP) == countable(text)


def test_starts_without_torch():
    code = (
        "import sys; from malgwi.cli import main\n"
        "try: main(['score', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'lhotse', 'scipy')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--normalize" in done.stdout
