"""From a model's scores to tokens. A decoder sees log-probabilities or a scorer, no model."""

#: name → "module:function"
DECODERS: dict[str, str] = {
    "attention_greedy": "malgwi.decoders.greedy:attention_greedy",
    "attention_beam": "malgwi.decoders.attention_beam:beam_search",
    "ctc_beam": "malgwi.decoders.ctc_beam:ctc_beam",
    "ctc_greedy": "malgwi.decoders.greedy:ctc_greedy",
    "transducer_greedy": "malgwi.decoders.transducer:transducer_greedy",
    "transducer_beam": "malgwi.decoders.transducer:transducer_beam",
}
