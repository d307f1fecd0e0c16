"""What is odd about a transcript, and how much of it is spoken.

Wrong charsets are recognised by undoing them: a text that turns into Hangul when its bytes are
read as they should have been was read wrongly, and the repaired text is the proof. Where bytes
were lost on the way (U+FFFD, rows of question marks), only the damage is left to see.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal, NamedTuple

from malgwi.text.normalize import normalize

TextKind = Literal["empty", "charset", "digits", "latin", "jamo", "other_script", "markup"]

#: Nothing but syllables, white space and the commonest marks: most transcripts end here.
_PLAIN = re.compile(r"[가-힣\s.,?!~'\"]*")
_COUNTED: tuple[tuple[TextKind, re.Pattern[str], str], ...] = (
    ("digits", re.compile(r"[0-9\uff10-\uff19]"), "digits"),
    (
        "latin",
        re.compile(r"[A-Za-z\uff21-\uff3a\uff41-\uff5a\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]"),
        "Latin letters",
    ),
    ("jamo", re.compile(r"[\u3131-\u318e\u1100-\u11ff]"), "letters of Hangul standing alone"),
    (
        "other_script",  # Hanja, Kana, Cyrillic, Greek
        re.compile(
            r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\u0370-\u03ff\u0400-\u04ff]"
        ),
        "letters of another script",
    ),
    (
        "markup",
        re.compile(
            r"\([^()]*\) ?/ ?\([^()]*\)|(?<!\w)[blonu]/|[가-힣][+*/](?!\w)|<[^<>]*>|[{}\[\]#@^_|\\]"
        ),
        "marks that nobody says",
    ),
)
#: Control characters, private use, U+FFFD: what decoding leaves behind.
_DAMAGE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff\ue000-\uf8ff]")
_LOST = re.compile(r"[?\ufffd]{3,}")
#: (read as, really)
_MISREADINGS = (
    ("cp949", "utf-8"),
    ("cp1252", "utf-8"),
    ("latin-1", "utf-8"),
    ("cp1252", "cp949"),
    ("latin-1", "cp949"),
)
_HANGUL = re.compile(r"[가-힣]")


class Oddity(NamedTuple):
    """One thing about a text that a person should look at; ranked by ``score``."""

    kind: TextKind
    score: float
    reason: str


class Repair(NamedTuple):
    """How a text was misread, and what it says."""

    read_as: str
    really: str
    text: str


def oddities(text: str) -> Iterator[Oddity]:
    """Everything odd about a transcript.

    >>> [(o.kind, o.reason) for o in oddities("3시까지 KBS로")]
    [('digits', '1 digits'), ('latin', '3 Latin letters')]
    >>> [o.reason for o in oddities("¾È³çÇÏ¼¼¿ä")][0]
    'cp949 read as cp1252: 안녕하세요'
    >>> list(oddities("안녕하세요?"))
    []
    """
    if not text.strip():
        yield Oddity("empty", 0.0, "no text")
        return
    if _PLAIN.fullmatch(text) and "???" not in text:
        return
    wrong = _charset(text)
    if wrong is not None:
        yield wrong
        return
    composed = unicodedata.normalize("NFC", text)  # decomposed syllables are no lone letters
    for kind, pattern, name in _COUNTED:
        found = len(pattern.findall(composed))
        if found:
            yield Oddity(kind, found, f"{found} {name}")


def misread(text: str) -> Repair | None:
    """What a text says if its bytes were read in the wrong charset; None where they were not.

    >>> misread("ì•ˆë…•")
    Repair(read_as='cp1252', really='utf-8', text='안녕')
    >>> misread("café") is None
    True
    """
    for read_as, really in _MISREADINGS:
        try:
            repaired = text.encode(read_as).decode(really)
        except UnicodeError:
            continue
        letters = sum(character.isalpha() for character in repaired)
        gained = len(_HANGUL.findall(repaired))
        if 2 * gained > letters and gained > len(_HANGUL.findall(text)):
            return Repair(read_as, really, repaired)
    return None


def words(text: str) -> list[str]:
    """The words (어절) of a text, composed, lower case, without marks.

    >>> words("네, 'OK' 알겠습니다!")
    ['네', 'ok', '알겠습니다']
    """
    composed = unicodedata.normalize("NFC", text).casefold()
    plain = (
        word if word.isalnum() else "".join(filter(str.isalnum, word)) for word in composed.split()
    )
    return [word for word in plain if word]


def spoken_characters(text: str) -> int:
    """Characters as read aloud, without spaces and marks: digits count as the words they are.

    >>> spoken_characters("네, 알겠습니다!"), spoken_characters("15,000원")
    (6, 4)
    """
    if not _PLAIN.fullmatch(text):
        text = normalize(text)
    return sum(map(str.isalnum, unicodedata.normalize("NFC", text)))


def fingerprint(text: str) -> int:
    """64 bits of a text, not 0: equal for equal texts, on any machine.

    >>> fingerprint("가") == fingerprint("가"), fingerprint("가") == fingerprint("나")
    (True, False)
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) or 1


def _charset(text: str) -> Oddity | None:
    repair = misread(text)
    if repair is not None:
        said = f"{repair.really} read as {repair.read_as}: {repair.text}"
        return Oddity("charset", 1_000.0 + len(text), said)
    damage = len(_DAMAGE.findall(text)) + sum(len(run) for run in _LOST.findall(text))
    if not damage:
        return None
    return Oddity("charset", damage, f"{damage} characters that decoding left behind")
