"""What a score must carry so that another can be laid beside it: how it was counted, on what.

Two scores may be compared when they counted the same references in the same way, and a short
fingerprint shows that at a glance: ``c`` and eight digits for the counting, ``r`` and eight for
the references. Who scored, with which decoder, is recorded but is no part of it: that is what one
compares.

The surprising choice: references are hashed as they were *counted*, each utterance alone, and the
hashes are added. So neither the order of a file nor its line ends nor its Unicode form changes the
sum, and a million utterances are hashed in pieces, by any number of processes.

Source: adding hashes of the members makes a hash of the set, M. Bellare and D. Micciancio, "A New
Paradigm for Collision-Free Hashing: Incrementality at Reduced Cost", EUROCRYPT 1997.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from malgwi import __version__
from malgwi.errors import DataError

_MODULUS = 1 << 256


class Mismatch(NamedTuple):
    """A field in which two passports differ."""

    field: str
    one: Any
    other: Any


@dataclass(frozen=True, kw_only=True)
class Passport:
    """How a score came about.

    Attributes:
        counting: The record of ``error_rate.counting``: normaliser with version and settings,
            Unicode form, and what each metric does with spaces.
        references: Hash of the references as counted, of ``references_hash``.
        utterances: How many there are.
        decoding: Settings of the decoder by name; None where unknown.
        malgwi: Version of the program that scored.
    """

    counting: Mapping[str, Any]
    references: str
    utterances: int
    decoding: Mapping[str, Any] | None = None
    malgwi: str = __version__

    @property
    def fingerprint(self) -> str:
        """The same for two scores exactly if they may be compared.

        >>> Passport(counting={"unicode": "NFC"}, references="5e" * 32, utterances=1).fingerprint
        'c907050a0-r5e5e5e5e'
        """
        counting = json.dumps(self._identity()["counting"], sort_keys=True, ensure_ascii=True)
        return f"c{sha256(counting.encode()).hexdigest()[:8]}-r{self.references[:8]}"

    @property
    def punctuation(self) -> str:
        """Whether punctuation is ``counted`` or ``dropped``."""
        return "dropped" if self._setting("punctuation") == "drop" else "counted"

    @property
    def view(self) -> str:
        """Which side of ``(철자)/(발음)`` counts: as written, spelling or pronunciation."""
        dual = self._setting("dual")
        return "as written" if dual in (None, "keep") else str(dual)

    def decoded(self, settings: Mapping[str, Any]) -> "Passport":
        """The same passport with the decoder's settings."""
        return replace(self, decoding=dict(settings))

    def mismatches(self, other: "Passport") -> list[Mismatch]:
        """The fields that forbid a comparison, by dotted name; empty if there are none.

        >>> one = Passport(counting={"unicode": "NFC"}, references="5e", utterances=1)
        >>> one.mismatches(replace(one, counting={"unicode": "NFKD"}))
        [Mismatch(field='unicode', one='NFC', other='NFKD')]
        """
        mine, theirs = (
            _flat({**of["counting"], "references": of["references"]})
            for of in (self._identity(), other._identity())
        )
        fields = list(dict.fromkeys([*mine, *theirs]))
        return [
            Mismatch(field, mine.get(field), theirs.get(field))
            for field in fields
            if mine.get(field) != theirs.get(field)
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON, as ``passport`` beside every score."""
        return {
            "fingerprint": self.fingerprint,
            **self.counting,
            "punctuation": self.punctuation,
            "view": self.view,
            "references": {"hash": self.references, "utterances": self.utterances},
            "decoding": self.decoding,
            "malgwi": self.malgwi,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Passport":
        """Undo ``to_dict``.

        Raises:
            DataError: No such record.
        """
        derived = ("fingerprint", "punctuation", "view", "references", "decoding", "malgwi")
        try:
            return cls(
                counting={name: value for name, value in record.items() if name not in derived},
                references=record["references"]["hash"],
                utterances=record["references"]["utterances"],
                decoding=record["decoding"],
                malgwi=record["malgwi"],
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"not a passport of a score, {error!r}: score again") from None

    def _setting(self, name: str) -> Any:
        settings = self.counting.get("normalizer", {}).get("settings")
        return None if settings is None else settings.get(name)

    def _identity(self) -> dict[str, dict[str, Any]]:
        """What two scores must share; the version of a normaliser that was not used is nothing."""
        counting = dict(self.counting)
        if counting.get("normalizer", {}).get("settings", self) is None:
            counting["normalizer"] = {"settings": None}
        references = {"hash": self.references, "utterances": self.utterances}
        return {"counting": counting, "references": references}


def references_hash(texts: Iterable[tuple[str, str]]) -> str:
    """64 hexadecimal digits that name a set of (id, text as counted), in any order.

    >>> references_hash([("a", "네"), ("b", "")]) == references_hash([("b", ""), ("a", "네")])
    True
    """
    return hash_text(hash_sum(texts))


def hash_sum(texts: Iterable[tuple[str, str]]) -> int:
    """The sum of the hashes; sums of parts add up, modulo 2^256, to that of the whole."""
    total = 0
    for name, text in texts:
        # The length keeps ("a", "bc") and ("ab", "c") apart.
        line = f"{len(name)}:{name}{text}".encode("utf-8", "surrogatepass")
        total += int.from_bytes(sha256(line).digest(), "big")
    return total % _MODULUS


def hash_text(total: int) -> str:
    """A sum of hashes as digits."""
    return f"{total % _MODULUS:064x}"


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
