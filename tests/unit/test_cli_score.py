"""``malgwi score``: what it prints, and each thing it refuses."""

import json
import subprocess
import sys

import pytest

from malgwi import cli
from malgwi.cli.score import KEEP, normalizer_of, read_texts
from malgwi.errors import ConfigError, DataError
from malgwi.metrics.error_rate import countable
from malgwi.text.normalize import NormalizerConfig

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
    assert set(record) == {*METRICS, "counting", "crr"}
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
    printed = run(capsys, "--ref", ref, "--hyp", hyp)
    for expected in ("CER without spaces", "sWER", "12.50 %", "0.00 – 14.29", "CRR 87.50"):
        assert expected in printed
    assert "2 utterances; intervals by bootstrap over utterances" in printed
    assert "normaliser: none" in printed


def test_intervals_over_speakers(files, capsys):
    ref = files("r.tsv", "a\t가", "b\t나", "c\t다")
    speakers = files("s.tsv", "a\tkim", "b\tkim", "c\tlee", "d\tpark")
    printed = run(capsys, "--ref", ref, "--hyp", ref, "--speakers", speakers)
    assert "over 2 speakers" in printed
    with pytest.raises(SystemExit):
        run(capsys, "--ref", ref, "--hyp", ref, "--speakers", files("t.tsv", "a\tkim"))
    assert "2 of 3 utterances have no speaker, the first is 'b'" in capsys.readouterr().err


def test_jsonl_equals_tsv(files):
    tsv = files("r.tsv", "a\t가 나", "b\t")
    lines = ['{"id": "a", "text": "가 나", "score": -1.5}', "", '{"text": "", "id": "b"}']
    assert read_texts(tsv) == read_texts(files("r.jsonl", *lines))
    assert read_texts(tsv) == read_texts(files("named-otherwise.txt", *lines))


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
