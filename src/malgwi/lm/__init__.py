"""How likely a text is: one file a kind, each satisfying ``malgwi.types.LanguageModel``.

``ngram`` counts: seconds to train, one look-up a score. ``lstm`` learns: longer memory, a matrix
product a score. Both are trained by ``malgwi lm`` on text alone and know nothing of sound.
"""

#: kind → class
LANGUAGE_MODELS: dict[str, str] = {
    "ngram": "malgwi.lm.ngram:NgramModel",
    "lstm": "malgwi.lm.neural:LstmModel",
}
