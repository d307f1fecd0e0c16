"""Syllable arithmetic against Unicode's own decomposition."""

import unicodedata

import pytest

from malgwi.text import hangul

SYLLABLES = [chr(code) for code in range(0xAC00, 0xD7A4)]


def test_table_sizes_give_all_modern_syllables() -> None:
    sizes = len(hangul.INITIALS), len(hangul.MEDIALS), len(hangul.FINALS)
    assert sizes == (19, 21, 28)
    assert len(SYLLABLES) == 19 * 21 * 28 == 11_172


def test_every_syllable_survives_decompose_and_compose() -> None:
    assert [hangul.compose(*hangul.decompose(ch)) for ch in SYLLABLES] == SYLLABLES


def test_to_jamo_is_nfd_and_from_jamo_undoes_it() -> None:
    for ch in SYLLABLES:
        jamo = hangul.to_jamo(ch)
        assert jamo == unicodedata.normalize("NFD", ch)
        assert hangul.from_jamo(jamo) == ch


@pytest.mark.parametrize(
    ("ch", "expected"),
    [
        ("가", ("ㄱ", "ㅏ", "")),
        ("힣", ("ㅎ", "ㅣ", "ㅎ")),
        ("값", ("ㄱ", "ㅏ", "ㅄ")),
        ("왜", ("ㅇ", "ㅙ", "")),
        ("뚫", ("ㄸ", "ㅜ", "ㅀ")),
        ("없", ("ㅇ", "ㅓ", "ㅄ")),
    ],
)
def test_letters(ch: str, expected: tuple[str, str, str]) -> None:
    assert hangul.letters(ch) == expected
    assert hangul.has_final(ch) == bool(expected[2])


def test_letter_names_agree_with_unicode_names() -> None:
    # HANGUL SYLLABLE names concatenate the short names of the letters: an independent source.
    for ch in "각낡됐뷁쀍쒫":
        initial, medial, final = hangul.decompose(ch)
        same_initial = hangul.compose(initial, 0, 0)
        assert (
            unicodedata.name(ch)
            .split()[-1]
            .startswith(unicodedata.name(same_initial).split()[-1].removesuffix("A"))
        )
        assert (
            unicodedata.name(hangul.compose(11, medial, final)).split()[-1]
            in (unicodedata.name(ch).split()[-1])
        )


@pytest.mark.parametrize("ch", ["", "ㄱ", "a", "가나", "ᄀ", "1", chr(0xABFF), chr(0xD7A4)])
def test_decompose_refuses_what_is_no_syllable(ch: str) -> None:
    assert not hangul.is_syllable(ch)
    assert not hangul.has_final(ch)
    with pytest.raises(ValueError, match="not one Hangul syllable"):
        hangul.decompose(ch)


@pytest.mark.parametrize(
    ("indices", "name"), [((19, 0, 0), "initial"), ((0, 21, 0), "medial"), ((0, 0, 28), "final")]
)
def test_compose_names_the_index_out_of_range(indices: tuple[int, int, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        hangul.compose(*indices)
    with pytest.raises(ValueError, match="-1"):
        hangul.compose(0, 0, -1)


def test_from_jamo_leaves_stray_letters_alone() -> None:
    stray = "ᄀ" + "x" + "ᅡ" + "ᆨ" + "ㅋㅋ"
    assert hangul.from_jamo(stray) == stray
    assert hangul.from_jamo("가" + "ᆨ") == "가" + "ᆨ"


def test_compatibility_jamo_are_the_modern_51() -> None:
    found = [chr(code) for code in range(0x3100, 0x3200) if hangul.is_compatibility_jamo(chr(code))]
    assert len(found) == 51
    assert set(hangul.INITIALS) | set(hangul.MEDIALS) | set(hangul.FINALS[1:]) == set(found)
