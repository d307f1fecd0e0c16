"""``malgwi compare``: the verdict, its tests and sizes, and what it refuses to lay side by side."""

import json

import numpy as np
import pytest

from malgwi import cli
from malgwi.metrics.error_rate import score
from malgwi.text.normalize import NormalizerConfig

SAID = {f"u{i}": "커피 한 잔 주세요" if i % 3 else "어제 비가 왔어요" for i in range(60)}


def heard(errors, seed=0):
    """Hypotheses in which a share of the utterances has lost its last two characters."""
    generator = np.random.default_rng(seed)
    return {n: t[:-2] if generator.random() < errors else t for n, t in SAID.items()}


@pytest.fixture
def files(tmp_path):
    """Write id → text as TSV, or a report as evaluate does, and return the path."""

    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".tsv":
            content = "\n".join(f"{key}\t{text}" for key, text in content.items())
        else:
            content = json.dumps(content, ensure_ascii=False)
        path.write_text(content, encoding="utf-8")
        return path

    return write


def report(hypotheses, normalizer=None, speakers=8, said=SAID):
    """A report.json, as far as compare reads it."""
    scores = score(said, hypotheses, normalizer)
    utterances = [
        {
            "id": name,
            "speaker": f"s{at % speakers}" if speakers else None,
            "reference": said[name],
            "hypothesis": hypotheses[name],
            **{metric: rate.to_dict() for metric, rate in rates.by_name().items()},
        }
        for at, (name, rates) in enumerate(scores.utterances.items())
    ]
    return {"scores": scores.to_dict(), "utterances": utterances}


def run(capsys, *args):
    cli.main(["compare", *map(str, args)])
    return capsys.readouterr().out


def refused(capsys, *args):
    with pytest.raises(SystemExit) as caught:
        run(capsys, *args)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_a_clear_gain_is_called_better_and_the_reverse_worse(files, capsys):
    ref = files("ref.tsv", SAID)
    a, b = files("a.tsv", heard(0.9)), files("b.tsv", heard(0.1))
    record = json.loads(run(capsys, a, b, "--ref", ref, "--json"))
    assert record["verdict"] == "better"
    assert record["differences"][0]["high"] < 0
    assert record["b"] - record["a"] == pytest.approx(record["differences"][0]["difference"])
    assert json.loads(run(capsys, b, a, "--ref", ref, "--json"))["verdict"] == "worse"
    same = json.loads(run(capsys, a, a, "--ref", ref, "--json"))
    assert same["verdict"] == "undecided"
    assert same["differences"][0]["p"] == same["randomisation"][0]["p"] == 1.0
    assert same["needed"][0]["units"] is None


def test_record_has_the_promised_keys(files, capsys):
    a, b = files("a.json", report(heard(0.4))), files("b.json", report(heard(0.3, seed=1)))
    record = json.loads(run(capsys, a, b, "--json", "--detect", "0.01", "--power", "0.9"))
    assert set(record) == {
        "metric",
        "a",
        "b",
        "verdict",
        "differences",
        "randomisation",
        "needed",
        "files",
        "passports",
        "mismatches",
    }
    assert {d["by"] for d in record["differences"]} == {"utterance", "speaker", "script"}
    widths = [d["high"] - d["low"] for d in record["differences"]]
    assert widths == sorted(widths, reverse=True)
    speaker = next(n for n in record["needed"] if n["by"] == "speaker")
    assert (speaker["detect"], speaker["power"]) == (0.01, 0.9)
    assert speaker["utterances"] > speaker["units"] > 8
    swapped = next(r for r in record["randomisation"] if r["by"] == "speaker")
    assert swapped["exact"]
    assert swapped["rounds"] == 2 ** swapped["differing"]


def test_reports_and_their_hypotheses_say_the_same(files, capsys):
    ref = files("ref.tsv", SAID)
    one, other = heard(0.4), heard(0.2, seed=1)
    reports = (
        files("a/report.json", report(one)).parent,
        files("b/report.json", report(other)).parent,
    )
    texts = files("a.tsv", one), files("b.tsv", other)
    from_texts = json.loads(run(capsys, *texts, "--ref", ref, "--json"))
    rescored = json.loads(run(capsys, *reports, "--ref", ref, "--json"))
    assert rescored["differences"] == from_texts["differences"]
    for metric in ("cer_nospace", "cer", "wer", "swer", "mer"):
        args = ("--metric", metric, "--by", "script", "--json")
        as_reported = json.loads(run(capsys, *reports, *args))
        scored = json.loads(run(capsys, *texts, "--ref", ref, *args))
        assert as_reported["differences"] == scored["differences"], metric
        assert as_reported["passports"] == scored["passports"]


def test_order_of_utterances_does_not_matter(files, capsys):
    one, other = heard(0.4), heard(0.2, seed=1)
    back = {name: SAID[name] for name in reversed(SAID)}
    a, b = files("a.json", report(one)), files("b.json", report(other))
    shuffled = files("c.json", report(other, said=back))
    args = ("--by", "utterance-less", "--json")
    assert "nothing says the utterance-less" in refused(capsys, a, b, *args)
    args = ("--by", "script", "--json")
    straight, turned = (json.loads(run(capsys, a, of, *args)) for of in (b, shuffled))
    assert straight["differences"] == turned["differences"]
    assert straight["mismatches"] == turned["mismatches"] == []


def test_scores_that_were_counted_otherwise_are_refused_by_field(files, capsys):
    a = files("a.json", report(heard(0.4), NormalizerConfig()))
    b = files("b.json", report(heard(0.3), NormalizerConfig(digits="keep")))
    message = refused(capsys, a, b)
    assert "normalizer.settings.digits is 'hangul' of A and 'keep' of B" in message
    assert "--anyway" in message
    printed = run(capsys, a, b, "--anyway")
    assert "warning: not counted alike" in printed
    assert "normalizer.settings.digits" in printed
    other = files("c.json", report(heard(0.3), said={**SAID, "u1": "다른 말"}))
    assert "references.hash is" in refused(capsys, files("d.json", report(heard(0.4))), other)


def test_a_report_from_before_passports_is_still_compared(files, capsys):
    old = report(heard(0.4))
    del old["scores"]["passport"]
    a, b = files("a.json", old), files("b.json", report(heard(0.1)))
    record = json.loads(run(capsys, a, b, "--json"))
    assert record["mismatches"] == []
    assert record["passports"][0]["malgwi"] == "unknown"


def test_what_is_printed(files, capsys):
    a, b = files("a.json", report(heard(0.9))), files("b.json", report(heard(0.1)))
    printed = run(capsys, a, b, "--detect", "0.005")
    assert "B is better" in printed
    assert "B better" in printed
    assert "by speaker: to see 0.50 points 80% of the time:" in printed
    assert "utterances at as many each" in printed


def test_the_table_fits_a_terminal(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    a, b = files("a.json", report(heard(0.9))), files("b.json", report(heard(0.1)))
    printed = run(capsys, a, b)
    assert "exact" in printed
    assert "…" not in printed


def test_missing_and_foreign_files_are_named(files, capsys, tmp_path):
    tsv, good = files("a.tsv", SAID), files("a.json", report(heard(0.1)))
    assert "hypotheses need --ref TRUTH" in refused(capsys, tsv, tsv)
    assert "cannot be read: No such file" in refused(capsys, tmp_path, good)
    assert "lists no utterances" in refused(capsys, files("b.json", {"a": 1}), good)
    foreign = files("c.json", {"utterances": [{"id": "a"}], "scores": {}})
    assert "KeyError('reference')" in refused(capsys, foreign, good)
    assert "--normalize needs --ref" in refused(capsys, good, good, "--normalize", "default")
    fewer = {name: SAID[name] for name in list(SAID)[:-1]}
    less = files("e.json", report(fewer, said=fewer))
    assert "1 of 60 references have no hypothesis: 'u59'" in refused(capsys, good, less)
