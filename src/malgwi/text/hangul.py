"""Hangul syllables as numbers: a precomposed syllable is 0xAC00 + (initial·21 + medial)·28 + final.

Everything here is arithmetic on code points; no table is looked up and no library asked. Three
sets of letters exist in Unicode and are easily confused: *compatibility jamo* (ㄱ, U+3131 ff.,
what a keyboard writes on its own, as in ㅋㅋ), *conjoining jamo* (U+1100 ff., what NFD makes of a
syllable), and the 11,172 *syllables* (U+AC00 ff.). The constants name letters in compatibility
form because people can read those; ``to_jamo`` and ``from_jamo`` speak the conjoining form.

Source: The Unicode Standard, section 3.12 "Conjoining Jamo Behavior".
"""

#: Initial consonants (초성) in code-point order, index 0 … 18.
INITIALS = tuple("ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ")
#: Medial vowels (중성), index 0 … 20.
MEDIALS = tuple("ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ")
#: Final consonants (종성), index 0 … 27; index 0 is "no final".
FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")

_FIRST, _LAST = 0xAC00, 0xD7A3
_INITIAL, _MEDIAL, _FINAL = 0x1100, 0x1161, 0x11A7  # conjoining; _FINAL + 0 is "no final"
_FINALS_COUNT = len(FINALS)
_RIME_COUNT = len(MEDIALS) * _FINALS_COUNT


def is_syllable(ch: str) -> bool:
    """Whether ``ch`` is one precomposed syllable, 가 … 힣.

    >>> is_syllable("말"), is_syllable("ㅋ"), is_syllable("말귀"), is_syllable("")
    (True, False, False, False)
    """
    return len(ch) == 1 and _FIRST <= ord(ch) <= _LAST


def is_compatibility_jamo(ch: str) -> bool:
    """Whether ``ch`` is a modern letter standing alone, ㄱ … ㅣ, as in ㅋㅋ or ㅠㅠ.

    >>> is_compatibility_jamo("ㅋ"), is_compatibility_jamo("카"), is_compatibility_jamo("ㅣ")
    (True, False, True)
    """
    return len(ch) == 1 and "ㄱ" <= ch <= "ㅣ"


def decompose(ch: str) -> tuple[int, int, int]:
    """The indices of a syllable's letters in ``INITIALS``, ``MEDIALS`` and ``FINALS``.

    Raises:
        ValueError: ``ch`` is not one precomposed syllable.

    >>> decompose("말")
    (6, 0, 8)
    >>> decompose("귀")
    (0, 16, 0)
    """
    if not is_syllable(ch):
        raise ValueError(f"{ch!r} is not one Hangul syllable (가 … 힣)")
    initial, rime = divmod(ord(ch) - _FIRST, _RIME_COUNT)
    medial, final = divmod(rime, _FINALS_COUNT)
    return initial, medial, final


def compose(initial: int, medial: int, final: int = 0) -> str:
    """The syllable of three indices; the inverse of ``decompose``.

    Raises:
        ValueError: An index lies outside its table.

    >>> compose(6, 0, 8) + compose(0, 16)
    '말귀'
    """
    for name, index, table in (
        ("initial", initial, INITIALS),
        ("medial", medial, MEDIALS),
        ("final", final, FINALS),
    ):
        if not 0 <= index < len(table):
            raise ValueError(f"{name} index {index} is outside 0 … {len(table) - 1}")
    return chr(_FIRST + initial * _RIME_COUNT + medial * _FINALS_COUNT + final)


def has_final(ch: str) -> bool:
    """Whether a syllable ends in a consonant (받침); False for anything that is no syllable.

    >>> has_final("말"), has_final("귀"), has_final("a")
    (True, False, False)
    """
    return is_syllable(ch) and (ord(ch) - _FIRST) % _FINALS_COUNT != 0


def letters(ch: str) -> tuple[str, str, str]:
    """A syllable's letters in compatibility form; the last is empty without a final.

    >>> letters("닭"), letters("귀")
    (('ㄷ', 'ㅏ', 'ㄺ'), ('ㄱ', 'ㅟ', ''))
    """
    initial, medial, final = decompose(ch)
    return INITIALS[initial], MEDIALS[medial], FINALS[final]


def to_jamo(ch: str) -> str:
    """A syllable as two or three conjoining jamo, exactly as NFD writes it.

    >>> [hex(ord(jamo)) for jamo in to_jamo("말")]
    ['0x1106', '0x1161', '0x11af']
    """
    initial, medial, final = decompose(ch)
    tail = chr(_FINAL + final) if final else ""
    return chr(_INITIAL + initial) + chr(_MEDIAL + medial) + tail


def from_jamo(text: str) -> str:
    """Join conjoining jamo into syllables; whatever does not fit together stays as it is.

    Unlike NFC this touches modern Hangul only, and it never joins a precomposed syllable with a
    final that follows it (NFC does: 가 + ᆨ → 각).

    >>> from_jamo(to_jamo("닭") + "!" + to_jamo("귀"))
    '닭!귀'
    >>> len(from_jamo(to_jamo("귀")[0]))
    1
    """
    out: list[str] = []
    position = 0
    while position < len(text):
        initial, medial = ord(text[position]) - _INITIAL, -1
        if position + 1 < len(text):
            medial = ord(text[position + 1]) - _MEDIAL
        if not (0 <= initial < len(INITIALS) and 0 <= medial < len(MEDIALS)):
            out.append(text[position])
            position += 1
            continue
        position += 2
        final = ord(text[position]) - _FINAL if position < len(text) else 0
        if not 0 < final < _FINALS_COUNT:
            final = 0
        position += final > 0
        out.append(compose(initial, medial, final))
    return "".join(out)
