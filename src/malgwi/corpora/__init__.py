"""Corpus readers: one file a corpus, found by name, each headed by source, licence and paper.

A reader is a frozen dataclass of settings with one method, ``rows(source)``, that turns a folder
or file into `malgwi.corpora.rows.Row` and `BadRow`. Opening audio, counting what is bad and making
cuts is the same for all of them and lives in `malgwi.corpora.rows`.
"""

#: name → module:class
CORPORA: dict[str, str] = {
    "aihub": "malgwi.corpora.aihub:AIHub",
    "clovacall": "malgwi.corpora.clovacall:ClovaCall",
    "common_voice": "malgwi.corpora.common_voice:CommonVoice",
    "embedded": "malgwi.corpora.embedded:Embedded",
    "fleurs": "malgwi.corpora.fleurs:Fleurs",
    "hackathon": "malgwi.corpora.hackathon:Hackathon",
    "kaldi": "malgwi.corpora.kaldi:Kaldi",
    "ksponspeech": "malgwi.corpora.ksponspeech:KsponSpeech",
    "lhotse": "malgwi.corpora.lhotse_manifests:LhotseManifests",
    "pansori": "malgwi.corpora.pansori:Pansori",
    "table": "malgwi.corpora.table:Table",
    "zeroth": "malgwi.corpora.zeroth:Zeroth",
}
