"""Spoken dates and times in figures: 이천십구년 삼월 일일 → 2019년 3월 1일, 세 시 이 분 → 3시 2분.

Year, month and day, hour and minute make each other sure: 이 분 alone is "this person" as well,
세 시 이 분 is not. A lone year, day or minute is therefore a counter like others
(``number_context``); here are the sequences, and what only stands in them: 유월, 시월, native hours
and hours to 24. Each function takes a match of the pattern above it and returns what to write, or
None to leave the words. Used by ``written_numbers``.
"""

import re

from malgwi.text.number_context import FOLLOW, about, ends_well
from malgwi.text.numerals import D0, NATIVE, SINO, D, native_value, sino_value, spoken_digits

_MONTH = f"(?P<month>십[일이]?|유|시|{D})"
_DAY = f"(?P<day>[이삼]?십{D}?|{D})"
#: A year said figure by figure: 이공일구.
YEAR_BY_DIGITS = f"(?:이[공영]|일구){D0}{{2}}"
_YEAR = f"(?P<year>{YEAR_BY_DIGITS}|{SINO})"
#: What shows that 이월 is no month but "carried over", and 이 월급 is none either.
_CARRIED_OVER = re.compile(r" ?(?:상품|금|된|되|하|시|처리|이 )")

DATE = f"(?:{_YEAR} ?년 ?)?{_MONTH} ?월 ?{_DAY} ?일{FOLLOW}"
YEAR_AND_MONTH = f"{_YEAR} ?년 ?{_MONTH} ?월{FOLLOW}"
MONTH = f"{_MONTH} ?월{FOLLOW}"


def date(match: re.Match[str]) -> str | None:
    """(년) 월 (일); a month alone is the only doubtful one (이 월, 이월 상품)."""
    found = match.groupdict()
    year, month, day = (found.get(name) for name in ("year", "month", "day"))
    right = match.string[match.end() :]
    values = {"월": {"유": 6, "시": 10}.get(month or "") or sino_value(month or "")}
    if year:
        by_digits = re.fullmatch(YEAR_BY_DIGITS, year)
        values = {"년": int(spoken_digits(year)) if by_digits else sino_value(year)} | values
    if day:
        values["일"] = sino_value(day)
    elif not year and _other_month(match[0], month or "", right):
        return None
    if None in values.values() or (values.get("일") or 0) > 31:
        return None
    if not ends_well("일" if day else "월", right, is_time=True):
        return None
    return " ".join(f"{value}{unit}" for unit, value in values.items())


def _other_month(said: str, month: str, right: str) -> bool:
    if month in ("이", "일") and " " in said:
        return True
    return month == "이" and bool(_CARRIED_OVER.match(right))


#: After 시 other words begin than after 분: 세시간, 시대, 시초, 시내.
_AFTER_HOUR = rf"(?:(?= ?반(?![가-힣]))|(?![간대초당차중말자날달내]){FOLLOW})"
TIME = (
    rf"(?P<hour>{NATIVE}|영|{SINO}) ?시"
    rf"(?: ?(?P<minute>{SINO}) ?분(?: ?(?P<second>{SINO}) ?초)?)?{_AFTER_HOUR}"
)


def time(match: re.Match[str]) -> str | None:
    """시 (분 (초)); 한시도 is "not for a moment", and 이시, 사시 alone are other words."""
    native = native_value(match["hour"])
    hour = native or (0 if match["hour"] == "영" else sino_value(match["hour"]))
    parts = [(match[name], unit) for name, unit in (("minute", "분"), ("second", "초"))]
    values = [(sino_value(words), unit) for words, unit in parts if words]
    right = match.string[match.end() :]
    if hour is None or hour > 24 or not all(value and value < 60 for value, _ in values):
        return None
    if not ends_well("분" if values else "시", right, is_time=True):
        return None
    if not values and not _surely_hour(match, hour, native is not None, right):
        return None
    return " ".join([f"{hour}시", *(f"{value}{unit}" for value, unit in values)])


def _surely_hour(match: re.Match[str], hour: int, native: bool, right: str) -> bool:
    if hour == 1 and right.startswith(("도", "라", "바")):
        return False
    return (native or hour == 0 or hour > 10) and not about(match.string[: match.start()], hour)
