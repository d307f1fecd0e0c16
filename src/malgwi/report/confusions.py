"""Letters taken for others as heat maps: rows were said, columns were heard.

Cells are cells of a table, not of a picture: they can be read, copied and pointed at, and keep
their size on a telephone. A map shows the letters most involved, in the order of the alphabet.
"""

from collections import Counter
from html import escape

from malgwi.metrics.jamo_confusions import SLOTS, Confusions

_TITLES = {"initial": "Initials 초성", "medial": "Vowels 중성", "final": "Finals 종성"}
#: So many letters fit beside each other at 390 pixels.
_MOST_LETTERS = 16
_NONE = "–"


def heat_maps(found: Confusions) -> str:
    """The three maps; "" where no syllable was taken for another."""
    if not found.syllables:
        return ""
    note = (
        f"{found.syllables:,} syllables were taken for another. Rows were said, columns heard; "
        "– is no final; percentages are of how often the letter was said."
    )
    maps = "".join(_map(found, slot) for slot in SLOTS)
    return f'<p class="note">{note}</p><div class="heats">{maps}</div>'


def _map(found: Confusions, slot: str) -> str:
    letters = _most_involved(found, slot)
    ranked = found.ranked(slot)
    if not letters:
        return f'<figure class="heat"><figcaption>{_TITLES[slot]}: none</figcaption></figure>'
    most = ranked[0][2]
    head = "".join(f'<th scope="col">{letter or _NONE}</th>' for letter in letters)
    rows = "".join(_row(found, slot, said, letters, most) for said in letters)
    inside = sum(count for said, heard, count in ranked if said in letters and heard in letters)
    total = sum(count for *_, count in ranked)
    rest = f", {total - inside:,} more between rarer ones" if total > inside else ""
    first = ", ".join(
        f"{said or _NONE} → {heard or _NONE} ({100 * found.share(slot, said, heard):.1f} %)"
        for said, heard, _ in ranked[:3]
    )
    return (
        f'<figure class="heat"><figcaption>{_TITLES[slot]}</figcaption>'
        f'<table><thead><tr><th aria-label="said, by row; heard, by column"></th>{head}</tr>'
        f"</thead><tbody>{rows}</tbody></table>"
        f'<p class="note">{inside:,} confusions{rest}. Most often: {escape(first)}.</p>'
        "</figure>"
    )


def _most_involved(found: Confusions, slot: str) -> list[str]:
    """The letters with most confusions on either side, in the order of the alphabet."""
    involved: Counter[str] = Counter()
    for said, heard, count in found.ranked(slot):
        involved[said] += count
        involved[heard] += count
    ranked = sorted(involved, key=lambda letter: (-involved[letter], letter))
    chosen = set(ranked[:_MOST_LETTERS])
    return [letter for letter in SLOTS[slot] if letter in chosen]


def _row(found: Confusions, slot: str, said: str, letters: list[str], most: int) -> str:
    cells = "".join(_cell(found, slot, said, heard, most) for heard in letters)
    return f'<tr><th scope="row">{said or _NONE}</th>{cells}</tr>'


def _cell(found: Confusions, slot: str, said: str, heard: str, most: int) -> str:
    if said == heard:
        return '<td class="same"></td>'
    count = found.pairs[slot].get((said, heard), 0)
    if not count:
        return "<td></td>"
    strength = (count / most) ** 0.5  # rare ones stay visible beside the most frequent
    title = (
        f"{said or 'no final'} said, {heard or 'no final'} heard: {count:,} of "
        f"{found.said[slot][said]:,} ({100 * found.share(slot, said, heard):.1f} %)"
    )
    style = "strong" if strength > 0.6 else ""
    return f'<td class="{style}" style="--heat:{strength:.2f}" title="{title}">{count}</td>'
