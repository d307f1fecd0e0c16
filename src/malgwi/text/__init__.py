"""Korean text: letters, normalisation, numbers as read, pronunciation.

One file a subject: ``hangul`` (syllable arithmetic), ``normalize`` (the one road from a raw
transcript to the text that is trained on and scored), ``numbers`` (digits as read aloud) and
``pronounce`` (spelling to sound).
"""
