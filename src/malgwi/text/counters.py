"""The words that follow a number, and what they say about it: 명, 시, 원, 킬로미터.

``NATIVE`` are the counters that take native numbers (세 명), ``SINO`` their look-alikes that do not
(삼 병동), ``UNITS`` the signs that are spoken as words (kg), ``SYMBOLS`` the way back. Used by
``numbers`` (reading) and ``number_context`` (writing).
"""

_COUNTED = (  # counters of the native series without a limit of their own
    "명 사람 식구 살 개 마리 그루 송이 포기 다발 묶음 알 방울 조각 토막 덩어리 모금 발 컷 근 "
    "잔 병 캔 컵 그릇 접시 숟가락 봉지 상자 박스 갑 팩 통 판 세트 벌 켤레 쌍 대 채 척 줄 칸 "
    "권 장 편 곡 글자 단어 문장 문제 과목 마디 표 건 팀 골 경기 가지 종류 군데 곳 자리 나라 회사 "
    "가구 남자 여자 달 밤 끼 배 바퀴 걸음 차례 정거장"
)
#: counter → the highest number that is read natively before it (0: no limit of its own)
NATIVE = dict.fromkeys(_COUNTED.split(), 0) | {"시": 12, "시간": 20, "번": 20, "번째": 0, "째": 0}
_LOOK_ALIKES = (
    "년 월 일 분 초 주 호 동 층 도 회 학년 개월 개국 개년 개사 개소 번지 번길 번가 번호 병동 대대 "
    "대학 대강 대문 대보험 대양 대륙 시대 시점 시즌 시리즈 권역 달러 배속 건물 팀장 편성 명령 장관 "
    "통신 박자 판사"
)
#: Words that begin like a native counter and are none, and the Sino counters that need a rule.
SINO = tuple(_LOOK_ALIKES.split())
#: Written-out units; they take Sino numbers and stand apart.
UNITS = {
    "km/h": "킬로미터", "km": "킬로미터", "cm": "센티미터", "mm": "밀리미터", "m": "미터",
    "km2": "제곱킬로미터", "m2": "제곱미터", "m3": "세제곱미터", "km²": "제곱킬로미터",
    "m²": "제곱미터", "m³": "세제곱미터", "㎡": "제곱미터", "㎞": "킬로미터", "㎝": "센티미터",
    "㎜": "밀리미터", "㎏": "킬로그램", "ha": "헥타르", "kg": "킬로그램", "mg": "밀리그램",
    "g": "그램", "t": "톤", "ml": "밀리리터", "mL": "밀리리터", "㎖": "밀리리터", "l": "리터",
    "L": "리터", "ℓ": "리터", "cc": "씨씨", "kcal": "킬로칼로리", "cal": "칼로리",
    "KB": "킬로바이트", "MB": "메가바이트", "GB": "기가바이트", "TB": "테라바이트", "Hz": "헤르츠",
    "kHz": "킬로헤르츠", "MHz": "메가헤르츠", "GHz": "기가헤르츠", "W": "와트", "kW": "킬로와트",
    "V": "볼트", "dB": "데시벨", "%": "퍼센트", "%p": "퍼센트포인트", "℃": "도", "°C": "도",
    "°": "도", "$": "달러", "€": "유로", "£": "파운드", "¥": "엔", "₩": "원",
}  # fmt: skip

_SIGNS = "% %p km cm mm m m2 m3 ha kg mg g L ml kcal cal KB MB GB TB Hz kHz MHz GHz W kW V dB cc"
#: A unit in words → its sign, which is read back as the same word.
SYMBOLS = {UNITS[sign]: sign for sign in _SIGNS.split()} | {"시시": "cc"}
