"""The report: what its JSON holds, that its page is safe, small and complete, and its pictures."""

import dataclasses
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import matplotlib.image
import numpy as np
import pytest
import soundfile

from malgwi import report as report_package
from malgwi.errors import AudioError, ConfigError
from malgwi.evaluate import Size, Speed
from malgwi.metrics.confidence import interval
from malgwi.metrics.error_rate import SPACE_POLICY, ErrorRate, score
from malgwi.metrics.unseen import unseen
from malgwi.report import Limits, Report, Utterance, plot_attention, plot_curves, write_report
from malgwi.report.breakdown import breakdown, by_duration
from malgwi.report.charts import Bar, bars
from malgwi.report.diff import aligned
from malgwi.report.figures import attention_png, series
from malgwi.report.page import render
from malgwi.report.sound import data_address

ATTACK = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
METRICS = [
    {"step": step, "loss": 6.0 / step, "loss_ctc": 7.0 / step, "learning_rate": 1e-3}
    for step in range(1, 50)
] + [{"step": 25, "dev_cer": 0.5}, {"step": 49, "dev_cer": 0.25}, {"step": 30, "loss": "nan"}]


def tone(duration_s, rate=8000):
    return (0.3 * np.sin(np.arange(int(duration_s * rate)) * 0.2)).astype(np.float32)


def made(pairs, *, title="시험", **changes):
    """A report of (reference, hypothesis) pairs: ids u0, u1, …, two speakers, 1.5 s each."""
    references = {f"u{i}": pair[0] for i, pair in enumerate(pairs)}
    hypotheses = {f"u{i}": pair[1] for i, pair in enumerate(pairs)}
    scores = score(references, hypotheses)
    utterances = [
        Utterance(
            id=name,
            duration_s=1.5,
            reference=references[name],
            hypothesis=hypotheses[name],
            speaker=f"화자{i % 2}",
            **changes,
        )
        for i, name in enumerate(references)
    ]
    return Report(
        title=title,
        scores=scores,
        utterances=utterances,
        intervals={name: interval(scores.of(name)) for name in SPACE_POLICY},
        decoding={"method": "beam", "beam": {"beams": 4, "threshold": float("inf")}},
        speed=Speed(audio_s=30.0, load_s=0.5, decode_s=1.0, threads=2),
        size=Size(parameters=1_234_567, bytes_on_disk=5_000_000),
        curves=METRICS,
        facts={"machine": "two cores"},
        unseen=unseen(references, hypotheses, frozenset("가나다라마바사 <")),
    )


class Page(HTMLParser):
    """Tags with their attributes, text, and whether every tag is closed."""

    VOID = frozenset({"meta", "input", "img", "line", "polyline"})

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.texts, self.open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, wanted):
        return sum(tag == wanted for tag, _ in self.tags)


def page_of(report, tmp_path, limits=None):
    return Page(write_report(report, tmp_path, limits).html.read_text(encoding="utf-8"))


def test_json_holds_scores_as_score_prints_them_and_everything_measured(tmp_path):
    report = made([("커피 한 잔", "커피 한잔"), ("네", "아니")], score=-1.5)
    record = json.loads(write_report(report, tmp_path).json.read_text(encoding="utf-8"))
    assert record["scores"] == json.loads(json.dumps(report.scores.to_dict()))
    assert set(record["intervals"]) == set(SPACE_POLICY)
    assert record["speed"]["x_real_time"] == 20.0
    assert record["speed"]["x_real_time_per_thread"] == 10.0
    assert record["size"] == {"parameters": 1_234_567, "bytes_on_disk": 5_000_000}
    assert record["decoding"]["beam"] == {"beams": 4, "threshold": None}
    second = record["utterances"][1]
    assert (second["id"], second["reference"], second["hypothesis"]) == ("u1", "네", "아니")
    assert second["cer_nospace"]["rate"] == 2.0
    assert second["score"] == -1.5


def test_page_is_well_formed_and_shows_rates_texts_and_settings(tmp_path):
    report = made([("커피 한 잔 주세요", "커피 한 장 주세요")] * 3)
    page = page_of(report, tmp_path)
    assert page.open == []
    text = " ".join(page.texts)
    for expected in (
        "시험",
        "14.29 %",
        "20.0 ×",
        "1,234,567 parameters",
        "화자1",
        "잔 → 장",
        "beam.beams",
        "machine two cores",
        "characters, white space removed",
        "loss_ctc",
    ):
        assert expected in text
    assert page.count("article") == 3


def test_nothing_in_a_report_can_act_as_markup(tmp_path):
    report = made([(ATTACK, ATTACK[::-1]), (ATTACK, "네")], title=ATTACK)
    hostile = [
        Utterance(
            id=u.id,
            duration_s=1.0,
            reference=u.reference,
            hypothesis=u.hypothesis,
            speaker=f"{ATTACK}{u.id}",
            channel=f"{ATTACK}{u.id}",
            attention=np.ones((1, 4), dtype=np.float32),
            tokens=(ATTACK,),
        )
        for u in report.utterances
    ]
    page = page_of(
        Report(
            title=ATTACK,
            scores=report.scores,
            utterances=hostile,
            decoding={ATTACK: ATTACK},
            facts={ATTACK: ATTACK},
        ),
        tmp_path,
    )
    assert page.open == []
    assert page.count("script") == 1  # the page's own
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)
    sources = [attrs["src"] for _, attrs in page.tags if "src" in attrs]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_only_the_pages_own_script_may_run_and_nothing_is_fetched(tmp_path):
    html = write_report(made([("네", "네")]), tmp_path).html.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policy[1])
    assert "http://" not in html
    assert "https://" not in html


def test_worst_come_first_and_limits_are_said(tmp_path):
    pairs = [("가나다라", "가나다라"), ("가나다라", "가"), ("가나다라", "가나다"), ("가", "나")]
    report = made(pairs, audio=tone(1.5), sample_rate_hz=8000)
    limits = Limits(listed=3, played=2)
    page = page_of(report, tmp_path, limits)
    shown = [attrs["data-id"] for tag, attrs in page.tags if tag == "article"]
    assert shown == ["u1", "u3", "u2"]  # 3 errors; then 1, the higher rate first
    assert page.count("audio") == 2
    assert "The 3 worst of 4; audio with the 2 worst" in " ".join(page.texts)


def test_a_large_report_stays_small(tmp_path):
    pairs = [
        ("지난달 요금이 왜 이렇게 많이 나왔어요 " * 3, "지난딜요금이왜이럭게만이나왔어")
        for _ in range(600)
    ]
    matrix = np.random.default_rng(0).random((50, 200)).astype(np.float32)
    report = made(
        pairs, audio=tone(15.0), sample_rate_hz=8000, attention=matrix, tokens=("가",) * 50
    )
    files = write_report(report, tmp_path)
    assert files.html.stat().st_size < 5_000_000
    assert len(json.loads(files.json.read_text(encoding="utf-8"))["utterances"]) == 600


def test_bytes_of_audio_are_bounded(tmp_path):
    report = made([("가", "나")] * 5, audio=tone(1.5), sample_rate_hz=8000)
    one = len(data_address(tone(1.5), sample_rate_hz=8000, longest_s=20))
    page = page_of(report, tmp_path, Limits(audio_bytes=int(2.5 * one)))
    assert page.count("audio") == 2


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_embedded_audio_is_the_audio(rate):
    address = data_address(tone(1.0, rate), sample_rate_hz=rate, longest_s=0.5)
    head, _, data = address.partition(",")
    assert head == "data:audio/mpeg;base64"
    samples, found_rate = soundfile.read(BytesIO(b64decode(data)))
    assert found_rate == min(rate, 16000)
    assert len(samples) / found_rate == pytest.approx(0.5, abs=0.15)  # MP3 pads its frames
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.08)


def test_audio_files_are_read_and_unreadable_ones_named(tmp_path):
    good = tmp_path / "good.wav"
    soundfile.write(good, tone(1.0), 8000)
    page = page_of(made([("가", "나")], audio=good), tmp_path)
    assert page.count("audio") == 1
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"not audio")
    with pytest.raises(AudioError, match=r"utterance u0: .*bad\.wav"):
        write_report(made([("가", "나")], audio=bad), tmp_path)


def test_a_failed_report_leaves_the_last_one(tmp_path):
    good = write_report(made([("가", "가")]), tmp_path)
    before = good.html.read_bytes(), good.json.read_bytes()
    with pytest.raises(AudioError):
        write_report(made([("가", "나")], audio=tmp_path / "missing.wav"), tmp_path)
    assert (good.html.read_bytes(), good.json.read_bytes()) == before
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.json"}


def test_bare_report_needs_no_measurement(tmp_path):
    scores = score({"a": ""}, {"a": "네"})
    utterance = Utterance(id="a", duration_s=0.0, reference="", hypothesis="네")
    page = page_of(Report(title="bare", scores=scores, utterances=[utterance]), tmp_path)
    text = " ".join(page.texts)
    assert page.open == []
    assert "no interval" in text
    assert "By speaker" not in text
    assert "Training" not in text


def test_missing_spaces_are_remarked_once_nothing_has_any(tmp_path):
    without = " ".join(page_of(made([("가 나", "가나")]), tmp_path).texts)
    assert "No hypothesis has a space" in without
    with_some = " ".join(page_of(made([("가 나", "가 나")]), tmp_path).texts)
    assert "No hypothesis has a space" not in with_some


def test_utterances_and_scores_must_agree():
    scores = score({"a": "네"}, {"a": "네"})
    with pytest.raises(ValueError, match="each scored utterance exactly once"):
        Report(title="", scores=scores, utterances=[])
    with pytest.raises(ValueError, match="2 rows of attention for 1 tokens"):
        Utterance(
            id="a",
            duration_s=1.0,
            reference="네",
            hypothesis="네",
            attention=np.zeros((2, 3), dtype=np.float32),
            tokens=("네",),
        )


def cells(html):
    return re.findall(r'<span class="([a-z ]+)">(?:<b>(.*?)</b><i>(.*?)</i>)?</span>', html)


def test_aligned_texts():
    assert cells(aligned("학교에 갔다", "학고 갔다요")) == [
        ("hit", "학", "학"),
        ("sub", "교", "고"),
        ("del", "에", "·"),
        ("hit", "갔다", "갔다"),
        ("ins", "·", "요"),
    ]


def test_misplaced_spaces_are_marked_only_if_spaces_are_written():
    assert [cell[0] for cell in cells(aligned("가 나다", "가나 다"))] == [
        "hit",
        "gap lost",
        "hit",
        "gap extra",
        "hit",
    ]
    assert [cell[0] for cell in cells(aligned("가 나다", "가나다"))] == ["hit", "hit"]


def test_durations_are_pooled_not_averaged():
    groups = by_duration(made([("가", "나"), ("가나다라마바사아자", "가나다라마바사아자")]))
    assert [(g.label, g.rate.rate, g.utterances, g.audio_s) for g in groups] == [
        ("1 – 2 s", 0.1, 2, 3.0)
    ]
    assert groups[0].interval.low <= 0.1 <= groups[0].interval.high


def utterances_of(report, **columns):
    """The report with a value an utterance for some columns."""
    changed = [
        dataclasses.replace(u, **{name: values[i] for name, values in columns.items()})
        for i, u in enumerate(report.utterances)
    ]
    return dataclasses.replace(report, utterances=changed)


def test_groups_hold_each_utterance_once_and_sum_to_the_corpus():
    pairs = [("가나다라마바", "가나다라마"), ("가나", "가나"), ("가나다", "가라다"), ("", "네")]
    report = utterances_of(
        made(pairs), duration_s=[1.0, 2.5, 0.4, 30.0], channel=["gsm", None, "gsm", "wide"]
    )
    groups = breakdown(report)
    assert [group.label for group in groups["duration"]] == [
        "0 – 1 s",
        "1 – 2 s",
        "2 – 3 s",
        "20 s and more",
    ]
    assert [group.label for group in groups["speaking_rate"]] == ["0 – 2", "6 – 7", "7 – 8"]
    assert [(group.label, group.utterances) for group in groups["channel"]] == [
        ("gsm", 2),
        ("wide", 1),
    ]
    for name in ("duration", "speaking_rate", "speaker"):
        assert sum(group.utterances for group in groups[name]) == 4
        assert sum(group.rate.errors for group in groups[name]) == 3
        assert sum(group.rate.reference for group in groups[name]) == 11


def test_a_single_group_is_not_drawn(tmp_path):
    one = made([("가나", "가나")] * 2, title="one")
    assert "By channel" not in " ".join(page_of(one, tmp_path).texts)
    two = utterances_of(one, channel=["gsm", "wide"])
    assert "By channel" in " ".join(page_of(two, tmp_path).texts)


@pytest.mark.parametrize("high", [0.5, 100.0])
def test_whiskers_stay_inside_their_track(high):
    drawn = bars([Bar("a", ErrorRate(6, 4, 0, 0, 10), "n = 1", 0.1, high)])
    left, width = map(float, re.search(r"left:([\d.]+)%;width:([\d.]+)%", drawn).groups())
    fill = float(re.search(r'"width:([\d.]+)%', drawn)[1])
    assert left < fill < left + width <= 100.0
    assert "whisker" not in bars([Bar("a", ErrorRate(6, 4, 0, 0, 10), "n = 1")])


MISTAKES = [
    ("국물이 정말 좋아요", "궁물이 정말 좋아요"),
    ("학교에 갔다", "학교 갔다"),
    ("커피 한 잔", "커피 한 장"),
]


def test_json_holds_kinds_confusions_and_breakdown(tmp_path):
    record = json.loads(write_report(made(MISTAKES), tmp_path).json.read_text(encoding="utf-8"))
    kinds = record["error_kinds"]
    assert kinds["errors"] == 3 == record["scores"]["cer_nospace"]["substitutions"] + 1
    assert kinds["kinds"]["nasalisation"] == {
        "count": 1,
        "share": pytest.approx(1 / 3),
        "examples": [{"id": "u0", "said": "국물이", "heard": "궁물이"}],
    }
    assert kinds["kinds"]["particle"]["count"] == kinds["kinds"]["unexplained"]["count"] == 1
    assert record["confusions"]["final"]["pairs"] == [
        {"said": "ㄱ", "heard": "ㅇ", "count": 1},
        {"said": "ㄴ", "heard": "ㅇ", "count": 1},
    ]
    assert list(record["breakdown"]) == ["duration", "speaking_rate", "channel", "speaker"]
    assert record["breakdown"]["channel"] == []
    speaker = record["breakdown"]["speaker"][0]
    assert set(speaker) == {"label", "utterances", "audio_s", "cer_nospace", "interval"}


def test_page_draws_kinds_with_examples_and_letters(tmp_path):
    page = page_of(made(MISTAKES), tmp_path)
    text = " ".join(page.texts)
    for expected in (
        "Nasalisation 비음화",
        "국물이 → 궁물이",
        "학교에 → 학교",
        "1 unexplained (33.3 %)",
        "Finals 종성",
        "none of: Hallucination",
    ):
        assert expected in text
    heats = [
        attrs for tag, attrs in page.tags if tag == "td" and "--heat" in attrs.get("style", "")
    ]
    assert len(heats) == 2
    assert heats[0]["title"] == "ㄱ said, ㅇ heard: 1 of 2 (50.0 %)"


def test_without_errors_there_is_nothing_to_classify(tmp_path):
    text = " ".join(page_of(made([("네 네", "네 네")]), tmp_path).texts)
    assert "What kind of mistakes" not in text
    assert "Letters taken for others" not in text


def test_text_over_a_silent_recording_is_a_hallucination():
    report = made([("네", "시청해 주셔서")], silent=True)
    assert report.kinds.counts["hallucination"] == report.kinds.errors == 6


def test_series_passes_over_what_is_no_number_and_averages_down():
    steps, values = series(METRICS, "loss", points=7)
    assert len(steps) == len(values) == 7
    assert values[0] == pytest.approx(np.mean([6.0 / step for step in range(1, 8)]))
    assert series(METRICS, "absent")[0].size == 0


def test_curves_as_files(tmp_path):
    for path in (tmp_path / "curves.svg", tmp_path / "again.svg", tmp_path / "curves.png"):
        plot_curves(METRICS, path)
    svg = (tmp_path / "curves.svg").read_text(encoding="utf-8")
    assert "<text" in svg
    assert "Development CER without spaces" in svg
    assert "loss_attention" not in svg  # never recorded
    assert svg == (tmp_path / "again.svg").read_text(encoding="utf-8")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    plot_curves([], tmp_path / "empty.svg")
    with pytest.raises(ConfigError, match=r"\.svg or \.png, not as 'curves\.pdf'"):
        plot_curves(METRICS, tmp_path / "curves.pdf")


def test_attention_as_file_keeps_hangul_as_text(tmp_path):
    matrix = np.eye(3, 9, dtype=np.float32)
    plot_attention(matrix, ["말", "귀", "$x$"], tmp_path / "attention.svg")
    svg = (tmp_path / "attention.svg").read_text(encoding="utf-8")
    assert ">말</text>" in svg
    assert ">$x$</text>" in svg
    with pytest.raises(ConfigError, match="3 rows of attention for 1 tokens"):
        plot_attention(matrix, ["말"], tmp_path / "attention.svg")


def test_attention_picture_is_darkest_where_the_weight_is():
    matrix = np.array([[0.0, 0.25, 0.75]], dtype=np.float32)
    pixels = matplotlib.image.imread(BytesIO(attention_png(matrix)), format="png")
    assert pixels.shape == (1, 3, 4)
    assert pixels[0, 0, 3] == 0.0
    assert 0.0 < pixels[0, 1, 3] < pixels[0, 2, 3] == 1.0


def test_package_says_what_it_offers():
    assert set(report_package.__all__) <= set(dir(report_package))


def test_what_training_never_saw_is_counted_and_shown(tmp_path):
    report = made([("가나 뷁뷁", "가나뷁북"), ("다쀍", "다"), ("라마", "라마")])
    files = write_report(report, tmp_path)
    assert json.loads(files.json.read_text(encoding="utf-8"))["unseen_characters"] == {
        "said": 3,
        "recognised": 1,
        "of_characters": 8,
        "by_character": {"뷁": [2, 1], "쀍": [1, 0]},
    }
    text = "".join(Page(files.html.read_text(encoding="utf-8")).texts)
    assert "Of 3 characters that training never saw (37.50 % of all), 1 were recognised" in text
    assert "뷁 1/2, 쀍 0/1" in text
    assert "never saw" not in render(dataclasses.replace(report, unseen=None), Limits())
