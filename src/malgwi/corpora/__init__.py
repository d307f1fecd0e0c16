"""Corpus readers: one file a corpus, found by name, each headed by source, licence and paper.

A reader is a frozen dataclass of settings with one method, ``rows(source)``, that turns a folder
or file into `malgwi.corpora.rows.Row` and `BadRow`. Opening audio, counting what is bad and making
cuts is the same for all of them and lives in `malgwi.corpora.rows`.
"""

#: name → module:class
CORPORA: dict[str, str] = {
    "embedded": "malgwi.corpora.embedded:Embedded",
    "hackathon": "malgwi.corpora.hackathon:Hackathon",
    "lhotse": "malgwi.corpora.lhotse_manifests:LhotseManifests",
    "pansori": "malgwi.corpora.pansori:Pansori",
    "table": "malgwi.corpora.table:Table",
}
