"""The documentation says what is so: commands parse, names stand where they belong, links work."""

import functools
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cli_reference
import codemap
import pytest
import soundfile
import tyro

from malgwi import cli, manifest
from malgwi.audio import load_cut
from malgwi.augment import POLICIES
from malgwi.cli import COMMANDS
from malgwi.cli import train as train_command
from malgwi.corpora import CORPORA
from malgwi.corpora.embedded import embedded_corpus
from malgwi.decoders import DECODERS
from malgwi.front_end import PRESETS
from malgwi.lm import LANGUAGE_MODELS
from malgwi.models import MODELS
from malgwi.recipes import RECIPES
from malgwi.registry import resolve
from malgwi.tokenizers import TOKENIZERS

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "docs" / "reference" / "cli.md"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")],
    key=str,
)
WRITTEN = [page for page in PAGES if page != GENERATED]
ENGLISH, KOREAN = ROOT / "README.md", ROOT / "README.ko.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"

#: family → its table, the page that explains it, how a name stands there
FAMILIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "corpora": (CORPORA, "concepts/data.md", "| `{}` |"),
    "tokenizers": (TOKENIZERS, "concepts/text.md", "| `{}` |"),
    "presets": (dict(PRESETS), "concepts/front-end.md", "| `{}` |"),
    "policies": (dict(POLICIES), "concepts/front-end.md", "`{}`"),
    "models": (MODELS, "concepts/models.md", "`{}`"),
    "recipes": (RECIPES, "concepts/models.md", "| `{}` |"),
    "decoders": (DECODERS, "concepts/decoding.md", "| `{}` |"),
    "language models": (LANGUAGE_MODELS, "concepts/language-models.md", "| `{}` |"),
    "commands": (COMMANDS, "reference/cli.md", "\n## malgwi {}\n"),
}


def relative(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def shell_lines(page: Path) -> Iterator[str]:
    """The commands of its shell blocks, without comments."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            if command := re.sub(r"\s+#.*", "", line).strip():
                yield command


def test_both_readmes_have_the_same_commands() -> None:
    assert list(shell_lines(ENGLISH)) == list(shell_lines(KOREAN))


def test_both_readmes_have_the_same_sections_and_links() -> None:
    shapes = []
    for page in (ENGLISH, KOREAN):
        text = page.read_text(encoding="utf-8")
        links = re.findall(r"\]\(([^)]+)\)", text)
        shapes.append((re.findall(r"^#+", text, re.MULTILINE), links[1:]))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("page", [ENGLISH, TUTORIAL], ids=relative)
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for line in shell_lines(page):
        if line.startswith("make "):
            assert line.split()[1] in targets, line


@pytest.mark.parametrize(
    "line",
    sorted({line for page in (ENGLISH, TUTORIAL) for line in shell_lines(page)}),
)
def test_commands_parse(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command line would, values and all; only what the command does is left out."""
    words = shlex.split(line)
    if words[0] != "malgwi":
        assert words[0] in {"make", "source"} or "=" in words[0], line
        return
    name, arguments = words[1], words[2:]
    command = resolve("command", {n: target for n, (target, _) in COMMANDS.items()}, name)
    if name == "train":
        monkeypatch.setattr(train_command, "train_run", lambda options: None)
        command(arguments)
        return

    @functools.wraps(command)
    def parsed(*args: object, **kwargs: object) -> None:
        """Stands in for the command."""

    tyro.cli(parsed, args=arguments)


def test_options_named_in_the_docs_exist() -> None:
    known = cli_reference.page()
    for page in WRITTEN:
        others = r"(python (benchmarks/|tools/|-m malgwi\.runtime)|pip install).*"
        text = re.sub(others, "", page.read_text(encoding="utf-8"))
        for option in set(re.findall(r"(?<![\w-])--[a-z][a-z0-9.-]*[a-z0-9]", text)):
            exists = re.search(rf"{re.escape(option)}(?![\w-])", known)
            assert exists, f"{relative(page)} names {option}, which no command has"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_member_of_a_family_is_documented(family: str) -> None:
    table, page, form = FAMILIES[family]
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    missing = [name for name in table if form.format(name) not in text]
    assert not missing, f"docs/{page} says nothing of {', '.join(missing)}"


def test_the_command_reference_is_what_the_commands_say() -> None:
    assert GENERATED.read_text(encoding="utf-8") == cli_reference.page(), "run: make docs"


def test_the_map_of_the_code_is_what_the_modules_say() -> None:
    text = codemap.CONTRIBUTING.read_text(encoding="utf-8")
    assert text == codemap.with_map(text), "run: make docs"


@pytest.mark.parametrize("page", WRITTEN, ids=relative)
def test_links_resolve(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{relative(page)}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles]
            assert anchor in anchors, f"{relative(page)}: {target}"


@pytest.mark.parametrize("page", [p for p in WRITTEN if blocks(p, "python")], ids=relative)
def test_examples_in_python_run(page: Path) -> None:
    for code in blocks(page, "python"):
        exec(compile(code, relative(page), "exec"), {"__name__": "example"})


def test_no_page_names_a_folder_of_this_machine() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])(/home/|/work/|/root/|\.\./shared)", text), relative(page)


def test_decisions_are_numbered_short_and_complete() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    for number, page in enumerate(pages, 1):
        text = page.read_text(encoding="utf-8")
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert len(text.splitlines()) <= 40, page.name
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{page.name} lacks {part}"


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """A folder as a newcomer has it: recordings, and transcripts.tsv."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines = ["path\tspeaker\ttext"]
    for index, cut in enumerate(embedded_corpus().train[::20]):
        name = f"call{index:03d}.wav"
        soundfile.write(folder / name, load_cut(cut, sample_rate_hz=8000), 8000, subtype="ULAW")
        lines.append(f"{name}\t{manifest.speaker(cut)}\t{manifest.text(cut)}")
    (folder / "transcripts.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.mark.slow
def test_the_readmes_own_data_example_runs(
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Line by line as written, only an hour of training made into seconds."""
    (block,) = (b for b in blocks(ENGLISH, "sh") if "malgwi prepare" in b)
    shutil.copy(recordings / "call000.wav", tmp_path / "call.wav")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA", str(recordings))
    assert block.count("60m") == 1
    for line in block.replace("60m", "4s").splitlines():
        program, *arguments = shlex.split(os.path.expandvars(line))
        assert program == "malgwi"
        capsys.readouterr()
        cli.main(arguments)
    assert capsys.readouterr().out.endswith("\n")
    for name in ("data/split.json", "runs/first/weights.safetensors", "runs/first/report.html"):
        assert (tmp_path / name).is_file(), name
