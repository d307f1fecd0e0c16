"""From a transcript as found to the text that is trained on and scored: one road, recorded.

Every choice is a field of ``NormalizerConfig``, and the field values together with ``VERSION`` are
what a run or a score must record to be comparable. The order is fixed: Unicode form, invisible
characters, KsponSpeech marks, numbers and abbreviations, Latin letters and case, symbols and
punctuation, white space. ``normalize(normalize(x)) == normalize(x)`` for every setting.

What is always done, because no reader could see the difference:

- NFC, so that decomposed (macOS) Hangul becomes syllables; a conjoining jamo that is left over
  becomes the compatibility letter it looks like (ᄏ → ㅋ).
- Characters that show nothing go: zero-width spaces and joiners, byte-order marks, soft hyphens,
  bidi controls, variation selectors, Hangul fillers, private-use and unassigned code points.
- Any run of white space (line ends, no-break and ideographic spaces) is one space; none at the
  ends.

NFKC is *not* applied: it would turn ㅋㅋ into conjoining jamo that no longer look like letters.
``forms="fold"`` unfolds full-width and half-width forms, circled and squared characters instead.

KsponSpeech marks (Bang et al., Applied Sciences 2020, 10(19), 6936): ``(철자)/(발음)`` gives
spelling and pronunciation of the same words; ``b/ l/ o/ n/ u/`` stand for breath, laughter,
overlapping speech, noise and unintelligible speech; ``아/`` is a filler, ``그+`` a repeated or
broken-off word, ``무슨*`` a word heard unclearly.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from malgwi.errors import ConfigError
from malgwi.text import hangul
from malgwi.text.names import read_names, write_names
from malgwi.text.numbers import read_numbers
from malgwi.text.written_numbers import WritingConfig, write_numbers

#: Changes whenever the same settings would give another text: scores name it.
VERSION = "4"

MarkPolicy = Literal["unmark", "drop", "keep"]


@dataclass(frozen=True, kw_only=True)
class NormalizerConfig:
    """Every choice the normaliser makes.

    Args:
        dual: KsponSpeech ``(철자)/(발음)``: the written or the spoken side, or both as found.
        tags: Noise tags ``b/ l/ o/ n/ u/``.
        fillers: ``아/``: the word without its mark, nothing, or as found.
        repetitions: ``그+``, likewise.
        unclear: ``무슨*``, likewise.
        digits: ``hangul`` as read aloud (``malgwi.text.numbers``, units included), as found, or
            ``written``: numbers are read, and then all that are surely numbers written in figures
            (``malgwi.text.written_numbers``; units stay words), so that 일곱 시 and 7시 are equal.
        latin: Latin letters as found, left out, or spelled with their Hangul names
            (OK → 오케이; words too: the is 티에이치이); ``read`` spells abbreviations alone
            (``malgwi.text.names``), and ``written`` gives those back that are spelled: 케이비에스,
            KBS → KBS.
        case: Of letters that have one.
        jamo: Letters standing alone, as in ㅋㅋ and ㅠㅠ.
        symbols: Special characters: signs, currency, emoji, ``% & @ # *``. Dropped, they leave a
            space.
        punctuation: Dropped, quotes and brackets vanish and other marks leave a space. A decimal
            point stays, and the commas of 15,000 vanish.
        forms: ``fold``: full-width Ａ１ to A1, half-width ﾡ to ㄱ, ㎞ to km, ① to 1, ½ to 1/2, any
            quote to ' or ", any dash to -, any tilde to ~, middle dots to ·, … to three dots.
        whitespace: Single spaces, or none at all.

    Raises:
        ConfigError: A value that the field does not know.
    """

    dual: Literal["spelling", "pronunciation", "keep"] = "spelling"
    tags: Literal["drop", "keep"] = "drop"
    fillers: MarkPolicy = "unmark"
    repetitions: MarkPolicy = "unmark"
    unclear: MarkPolicy = "unmark"
    digits: Literal["hangul", "keep", "written"] = "hangul"
    latin: Literal["keep", "drop", "spell", "read", "written"] = "keep"
    case: Literal["upper", "lower", "keep"] = "upper"
    jamo: Literal["keep", "drop"] = "keep"
    symbols: Literal["drop", "keep"] = "drop"
    punctuation: Literal["drop", "keep"] = "drop"
    forms: Literal["fold", "keep"] = "fold"
    whitespace: Literal["collapse", "remove"] = "collapse"

    def __post_init__(self) -> None:
        for field in fields(self):
            known, value = get_args(field.type), getattr(self, field.name)
            if value not in known:
                raise ConfigError(
                    f"normaliser {field.name} is {value!r}; known are {', '.join(known)}"
                )

    def to_dict(self) -> dict[str, str]:
        """The settings and the normaliser's version, to be recorded beside a score."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "NormalizerConfig":
        """Undo ``to_dict``.

        Raises:
            ConfigError: Another version, an unknown field or an unknown value.
        """
        settings = dict(record)
        version = settings.pop("version", VERSION)
        if version != VERSION:
            raise ConfigError(
                f"these normaliser settings are of version {version}, this program's is "
                f"{VERSION}: the texts would differ, so normalise and score again"
            )
        unknown = settings.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"the normaliser has no setting {', '.join(sorted(unknown))}")
        return cls(**settings)


_DEFAULT = NormalizerConfig()


def normalize(text: str, config: NormalizerConfig = _DEFAULT) -> str:
    """The text under ``config``. Idempotent; empty if nothing spoken is left.

    >>> normalize("아/ 몬 소리야, 그건 또. b/")
    '아 몬 소리야 그건 또'
    >>> normalize("(70%)/(칠십 퍼센트) 할인, 3시까지!")
    '칠십 퍼센트 할인 세시까지'
    >>> normalize("(70%)/(칠십 프로) 확실", NormalizerConfig(dual="pronunciation"))
    '칠십 프로 확실'
    >>> normalize("케이비에스, 만 오천 원", NormalizerConfig(digits="written", latin="written"))
    'KBS 15000원'
    """
    # One pass may bring together what a dropped character kept apart: 가ㅋ+ → 가+ → 가.
    passes: list[str] = []
    while (done := _one_pass(text, config)) != text:
        if done in passes:  # written and read in turn: the same member of the circle for all
            return min(passes[passes.index(done) :])
        passes.append(done)
        text = done
    return text


def _one_pass(text: str, config: NormalizerConfig) -> str:
    text = _visible(_folded(text) if config.forms == "fold" else text)
    text = _marks(text, config)
    text = _written(text, config)
    text = _cased(_latin(text, config), config)
    if config.jamo == "drop":
        text = "".join(ch for ch in text if not hangul.is_compatibility_jamo(ch))
    text = _without_marks_of_writing(text, config)
    text = ("" if config.whitespace == "remove" else " ").join(text.split())
    text = _INSIDE_DUAL.sub(lambda edge: edge[0].strip(), text)
    return unicodedata.normalize("NFC", text).translate(_RESTORE)


# --- characters -----------------------------------------------------------------------------

_LOOK_ALIKES = {
    **dict.fromkeys("‘’‚‛′`´＇", "'"),
    **dict.fromkeys("“”„‟″«»「」『』〈〉《》＂", '"'),
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    **dict.fromkeys("〜∼˜～", "~"),
    **dict.fromkeys("ㆍ・•‧･∙⋅", "·"),
    **dict(zip("…。｡、､⁄∕￦", ("...", ".", ".", ",", ",", "/", "/", "₩"), strict=True)),
}
_INVISIBLE = {"\u034f", "\u115f", "\u1160", "\u3164", "\uffa0", "\ufe0e", "\ufe0f", "\u20e3"}
#: Forms that stand for a character of their own: no digit beside them may join theirs.
_APART = ("<circle>", "<compat>", "<fraction>", "<super>", "<sub>", "<square>")


def _folded(text: str) -> str:
    """Look-alikes and presentation forms as the plain characters they stand for."""
    out, before_apart = "", False
    for ch in text:
        plain, tag = _fold(ch)
        apart = tag in _APART
        if (
            (apart or before_apart)
            and plain[:1].isdigit()
            and (out[-1:].isdigit() or out[-1:] == ".")
        ):
            out += " "
        out += plain
        before_apart = apart
    return out


def _fold(ch: str) -> tuple[str, str]:
    """The plain text of one character and the Unicode tag of its form."""
    if ch in _LOOK_ALIKES:
        return _LOOK_ALIKES[ch], ""
    tag, *codes = unicodedata.decomposition(ch).split() or [""]
    if not tag.startswith("<") or hangul.is_compatibility_jamo(ch) or "ㅤ" <= ch <= "ㆎ":
        return ch, ""
    return "".join(_fold(chr(int(code, 16)))[0] for code in codes), tag


def _visible(text: str) -> str:
    """NFC without characters that show nothing; left-over conjoining jamo made readable."""
    kept = "".join(" " if ch.isspace() else ch for ch in text if ch.isspace() or _shows(ch))
    return "".join(_LETTERS.get(ch, ch) for ch in unicodedata.normalize("NFC", kept))


def _shows(ch: str) -> bool:
    return ch not in _INVISIBLE and unicodedata.category(ch) not in ("Cc", "Cf", "Cn", "Co", "Cs")


_LETTERS = (
    {chr(0x1100 + index): letter for index, letter in enumerate(hangul.INITIALS)}
    | {chr(0x1161 + index): letter for index, letter in enumerate(hangul.MEDIALS)}
    | {chr(0x11A7 + index): letter for index, letter in enumerate(hangul.FINALS) if index}
)

# --- KsponSpeech marks ----------------------------------------------------------------------
# Marks that are kept travel as private-use characters, which no later step touches; the input's
# own private-use characters are gone by then.

_KEPT = {ch: chr(0xE000 + index) for index, ch in enumerate(("(", ")/(", ")", "/", "+", "*"))}
_KEPT_TAGS = {f"{letter}/": chr(0xE010 + index) for index, letter in enumerate("blonu")}
_RESTORE = {ord(code): mark for mark, code in (_KEPT | _KEPT_TAGS).items()}
_INSIDE_DUAL = re.compile(rf"(?:[{_KEPT['(']}{_KEPT[')/(']}] )|(?: [{_KEPT[')/(']}{_KEPT[')']}])")
_DUAL = re.compile(r"\(([^()]*)\) ?/ ?\(([^()]*)\)")
_TAG = re.compile(r"(?<![A-Za-z0-9])[blonu]/")
_MARKED_WORD = re.compile(r"([가-힣]+)((?:[+*]|/(?!\w))+)")


def _marks(text: str, config: NormalizerConfig) -> str:
    if config.dual == "keep":
        open_, middle, close = _KEPT["("], _KEPT[")/("], _KEPT[")"]
        text = _DUAL.sub(rf"{open_}\1{middle}\2{close}", text)
    else:
        text = _DUAL.sub(r"\1" if config.dual == "spelling" else r"\2", text)
    text = _TAG.sub(lambda tag: f" {_KEPT_TAGS[tag[0]]} " if config.tags == "keep" else " ", text)
    policies = {"/": config.fillers, "+": config.repetitions, "*": config.unclear}

    def word(match: re.Match[str]) -> str:
        found = [policies[mark] for mark in match[2]]
        kept = "".join(_KEPT[mark] for mark in match[2] if policies[mark] == "keep")
        return " " if "drop" in found else f"{match[1]}{kept} "

    return _MARKED_WORD.sub(word, text)


# --- numbers and abbreviations --------------------------------------------------------------

#: Commas would go with the punctuation and signs with the symbols: 3.5% and 3.5 are not equal.
_WRITING = WritingConfig(thousands=False, symbols=False)


def _written(text: str, config: NormalizerConfig) -> str:
    """As spoken, then in figures and letters if asked for, where that is stable."""
    spoken = _spoken(text, config)
    figures = _in_figures(spoken, config)
    stable = figures == spoken or _in_figures(_spoken(figures, config), config) == figures
    return figures if stable else spoken


def _spoken(text: str, config: NormalizerConfig) -> str:
    if config.latin in ("read", "written"):
        text = read_names(text)
    return text if config.digits == "keep" else read_numbers(text)


def _in_figures(text: str, config: NormalizerConfig) -> str:
    if config.digits == "written":
        text = write_numbers(text, _WRITING)
    if config.latin == "written":
        text = write_names(text, figures=config.digits != "hangul")
    return text


# --- letters --------------------------------------------------------------------------------

_NAMES = (
    "에이 비 시 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 아르 에스 티 유 브이 "
    "더블유 엑스 와이 제트"
)
_LETTER_NAMES = dict(zip("abcdefghijklmnopqrstuvwxyz", _NAMES.split(), strict=True))


def _latin(text: str, config: NormalizerConfig) -> str:
    if config.latin not in ("drop", "spell"):
        return text
    return "".join(_spelled(ch, config) if _is_latin(ch) else ch for ch in text)


def _is_latin(ch: str) -> bool:
    return ch.isalpha() and "LATIN" in unicodedata.name(ch, "")


def _spelled(ch: str, config: NormalizerConfig) -> str:
    """The Hangul name of a letter, its accent aside; nothing if Latin letters are dropped."""
    if config.latin == "drop":
        return ""
    return _LETTER_NAMES.get(unicodedata.normalize("NFD", ch)[0].lower(), ch)


def _cased(text: str, config: NormalizerConfig) -> str:
    if config.case == "keep":
        return text
    return text.upper() if config.case == "upper" else text.lower()


# --- marks of writing -----------------------------------------------------------------------

#: Of Unicode's punctuation (P*) these are signs that are read aloud; the tilde is the reverse.
_SIGNS = set("%&@#*§¶‰")
_HUGGING = ("Ps", "Pe", "Pi", "Pf")  # brackets and quotes: "서울(Seoul)에서" stays one word
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_DECIMAL_POINT = re.compile(r"(?<=[0-9])\.(?=[0-9])")


def _without_marks_of_writing(text: str, config: NormalizerConfig) -> str:
    if config.punctuation == "drop":
        text = "".join(ch for ch in text if not _hugs(ch))
        text = _THOUSANDS.sub("", text)
        kept_points = {match.start() for match in _DECIMAL_POINT.finditer(text)}
        text = "".join(
            " " if _is_punctuation(ch) and position not in kept_points else ch
            for position, ch in enumerate(text)
        )
    if config.symbols == "drop":
        text = "".join(" " if _is_symbol(ch) else ch for ch in text)
    return text


def _hugs(ch: str) -> bool:
    return ch in "'\"" or unicodedata.category(ch) in _HUGGING


def _is_punctuation(ch: str) -> bool:
    return ch == "~" or (unicodedata.category(ch)[0] == "P" and ch not in _SIGNS)


def _is_symbol(ch: str) -> bool:
    return ch in _SIGNS or (ch != "~" and unicodedata.category(ch)[0] == "S")
