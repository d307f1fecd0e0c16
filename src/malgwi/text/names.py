"""Latin abbreviations as they are spoken, both ways: KBS ↔ 케이비에스, MP3 ↔ 엠피쓰리, A4 ↔ 에이포.

*Reading* spells abbreviations letter by letter: known ones (``_KNOWN``), single letters (A형), and
letters without a vowel (DSLR). A few are words of their own (NATO 나토). Everything else is taken
for English and left alone, and so is what stands next to English (JUST DO IT), for a phrase in
capitals is no row of abbreviations. Case does not decide: transcripts have mp3 and KBS, and a
normaliser that changes case must not change the reading. A single figure joined to letters is read
in English (A4 에이포, F1 에프원), two and more in Sino-Korean (G20 지이십); 2 to 5 before G and D,
and before K, are English as well (5G 파이브지).

*Writing* gives known abbreviations back if they begin a word and cannot be another one: 아이티
may be Haiti and 이유 a reason, so IT and EU stay as spoken. Spellings that differ (티비 and 티브이,
씨디 and 시디) give the same abbreviation, which makes both sides of a scoring comparable.

Letters have the names that Koreans commonly say, C 씨 and R 알, where the dictionary also has 시
and 아르 (국립국어원 표준국어대사전); TV is 티비. ``normalize`` with ``latin="spell"`` uses the
dictionary's.
"""

import re
from itertools import product

from malgwi.text.number_context import FOLLOW
from malgwi.text.numerals import sino

_NAMES = (
    "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 더블유 "
    "엑스 와이 제트"
)
_LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _NAMES.split(), strict=True))
#: What a transcriber may write instead.
_VARIANTS = {"C": ("씨", "시"), "R": ("알", "아르"), "Z": ("제트", "지")}
_ENGLISH_FIGURES = "원 투 쓰리 포 파이브 식스 세븐 에이트 나인"
_FIGURES = dict(zip("123456789", _ENGLISH_FIGURES.split(), strict=True))

_ABBREVIATIONS = (
    "KBS MBC SBS EBS JTBC YTN TVN CNN BBC NHK CJ LG SK KT GS LS LH KB NH IBK HP IBM AMD BMW "
    "GM CD DVD VOD OTT TV PC SNS CCTV ATM USB LED LCD GPS CPU GPU SSD HDD PDF PPT DSLR DMB "
    "URL HTML ID IP IT AI VR AR AS CS CF PR IR PD MC DJ CG VIP MVP CEO CFO CTO COO HR MBA MT "
    "OT PT SUV LTE QR NFC IOT DB OS API SDK UX UI EU UN IMF WTO FTA GDP GNP OECD FBI CIA NGO "
    "IOC MOU ICU CT MRI DNA RNA MSG ADHD PTSD PCR UCC UFO UV SF OST BGM EDM MR NBA MLB KBO "
    "KBL EPL UFC WBC DMZ JSA NLL ROTC KTX SRT ITX GTX ETF ELS CMA DTI LTV DSR IPO QA BC PM FM "
    "DM BTS IU JYP SM YG OK MBTI INFP ENTP ISTJ HD UHD XL XXL ABC AB"
)
_KNOWN = frozenset(_ABBREVIATIONS.split())
#: Spoken as words.
_WORDS = {
    "NATO": "나토", "NASA": "나사", "UNESCO": "유네스코", "UNICEF": "유니세프", "FIFA": "피파",
    "OPEC": "오펙", "APEC": "에이펙", "AIDS": "에이즈", "KAIST": "카이스트", "POSTECH": "포스텍",
    "POSCO": "포스코", "TOEIC": "토익", "TOEFL": "토플", "TEPS": "텝스", "SARS": "사스",
    "COVID": "코비드", "LASIK": "라식", "SIM": "심", "PIN": "핀", "RAM": "램", "ROM": "롬",
    "LAN": "랜", "JPEG": "제이펙", "TED": "테드", "IKEA": "이케아", "KOTRA": "코트라",
    "KOSPI": "코스피", "KOSDAQ": "코스닥",
}  # fmt: skip
#: Without a vowel, yet no abbreviations.
_ENGLISH = frozenset(("I", "VS", "MR", "DR", "MS", "MRS", "ST", "HMM", "SHH"))
#: Their spoken forms are other words as well: Haiti, city, reason, one's name, …
_AMBIGUOUS = frozenset(
    ("IT", "CT", "EU", "AR", "IR", "OT", "UV", "SM", "PR", "IP", "IU", "HP", "BC", "UI", "AB", "PM")
)

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9&'’.@/_-])(?:(?P<front>[2-5])(?P<unit>[GDKgdk])|(?P<letters>[A-Za-z]{1,8})"
    r"(?:-?(?P<figures>[0-9]{1,3}))?)(?![A-Za-z0-9&'’@/_]|[.,-][A-Za-z0-9])"
)


def read_names(text: str) -> str:
    """Spell Latin abbreviations in Hangul as they are spoken; English words stay.

    >>> read_names("KBS TV에서 MP3를 A4에 5G로, JUST DO IT")
    '케이비에스 티비에서 엠피쓰리를 에이포에 파이브지로, JUST DO IT'
    """
    return _TOKEN.sub(_read_token, text)


def write_names(text: str, *, figures: bool = True) -> str:
    """Give known abbreviations back where their spelling cannot be another word.

    Args:
        text: Text in which abbreviations are spelled.
        figures: Also those with figures (MP3, 5G).

    >>> write_names("케이비에스와 엠피쓰리, 씨씨티비를 파이브지로; 아이티와 오이")
    'KBS와 MP3, CCTV를 5G로; 아이티와 오이'
    """

    def written(match: re.Match[str]) -> str:
        name = _WRITTEN[match[0]]
        return name if figures or name.isalpha() else match[0]

    return _SPOKEN.sub(written, text)


def spelled(letters: str, figures: str = "") -> str:
    """Letters by their names, with figures as they are said after letters.

    >>> spelled("CCTV"), spelled("G", "20"), spelled("F", "1"), spelled("H", "05")
    ('씨씨티비', '지이십', '에프원', '에이치공오')
    """
    if letters.endswith("TV"):
        said = "".join(_LETTERS[letter] for letter in letters[:-2]) + "티비"
    else:
        said = _WORDS.get(letters) or "".join(_LETTERS[letter] for letter in letters)
    if figures in _FIGURES:
        return said + _FIGURES[figures]
    if figures.startswith("0"):
        return said + "".join("공일이삼사오육칠팔구"[int(figure)] for figure in figures)
    return said + (sino(int(figures)).replace(" ", "") if figures else "")


def _read_token(match: re.Match[str]) -> str:
    if match["front"]:
        return _FIGURES[match["front"]] + _LETTERS[match["unit"].upper()]
    letters, figures = match["letters"].upper(), match["figures"] or ""
    if not _is_abbreviation(letters) and not (figures and len(letters) < 4):
        return match[0]
    return match[0] if _in_english(match) else spelled(letters, figures)


def _is_abbreviation(letters: str) -> bool:
    if letters in _KNOWN or letters in _WORDS:
        return True
    return letters not in _ENGLISH and (len(letters) == 1 or not set(letters) & set("AEIOUY"))


def _in_english(match: re.Match[str]) -> bool:
    """Whether the word next to it is English, so that IT in DO IT is a word."""
    before = re.search(r"([A-Za-z]+) $", match.string[: match.start()])
    after = re.match(r" ([A-Za-z]+)", match.string[match.end() :])
    neighbours = [found[1].upper() for found in (before, after) if found]
    return not all(_is_abbreviation(word) for word in neighbours)


def _spellings(letters: str) -> list[str]:
    """Every way to write the abbreviation as it is spoken."""
    if letters in _WORDS:
        return [_WORDS[letters]]
    tv = letters.endswith("TV")
    head = letters[:-2] if tv else letters
    choices = [_VARIANTS.get(letter, (_LETTERS[letter],)) for letter in head]
    heads = ["".join(parts) for parts in product(*choices)]
    return [start + tail for start in heads for tail in (("티비", "티브이") if tv else ("",))]


_WITH_FIGURES = {
    "엠피쓰리": "MP3", "엠피스리": "MP3", "엠피포": "MP4", "에이포": "A4", "지이십": "G20",
    "에프원": "F1", "쓰리지": "3G", "파이브지": "5G", "쓰리디": "3D", "포디": "4D",
    "디비디": "DVD",
}  # fmt: skip
#: Spoken form → abbreviation, for those that are no other word.
_WRITTEN = {
    said: letters
    for letters in _KNOWN
    if letters not in _AMBIGUOUS and letters not in _WORDS
    for said in _spellings(letters)
} | _WITH_FIGURES
_SPOKEN = re.compile(
    f"(?<![가-힣A-Za-z0-9])(?:{'|'.join(sorted(_WRITTEN, key=len, reverse=True))}){FOLLOW}"
)
