"""When two utterances read the same script: exactly, or nearly.

A script is the text without spaces, punctuation and case, so that two transcribers' habits do not
make two scripts of one sentence.
"""

import unicodedata


def script(text: str) -> str:
    """What makes two utterances the same text: letters and digits, composed, lower case.

    >>> script("네, 알겠습니다!") == script("네 알겠습니다")
    True
    >>> script("...")
    '...'
    """
    composed = unicodedata.normalize("NFC", text).casefold()
    return "".join(c for c in composed if c.isalnum()) or composed.strip()
