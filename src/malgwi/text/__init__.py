"""Korean text: letters, normalisation, numbers and names both ways, pronunciation.

One file a subject: ``hangul`` (syllable arithmetic), ``normalize`` (the one road from a raw
transcript to the text that is trained on and scored), ``numbers`` and ``written_numbers`` (figures
as read aloud, and back), ``names`` (KBS ↔ 케이비에스) and ``pronounce`` (spelling to sound).
"""
