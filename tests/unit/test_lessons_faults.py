"""The historical beam faults choose what they are said to choose."""

import torch
from lessons_faults import CHOICES, as_in_2019
from toy_scorer import BLANK, END, START, RandomSpeller

from malgwi.decoders.attention_beam import BeamConfig, beam_search


def test_each_fault_is_the_one_that_history_tells() -> None:
    scorer = RandomSpeller(seed=26, lengths=[5, 7], vocabulary_size=8, sharpness=1.0)
    mended = BeamConfig(beams=4)
    config = as_in_2019(mended)
    assert config.length_normalization == 0
    assert as_in_2019(mended, normalized=True).length_normalization == 1
    results = beam_search(
        scorer,
        start_id=START,
        end_id=END,
        encoder_lengths=scorer.lengths,
        max_lengths=torch.tensor([12, 12]),
        config=config,
        blank_id=BLANK,
    )
    for hypotheses in results:
        finished = [h for h in hypotheses if h.ended]
        assert 4 <= len(finished) <= len(hypotheses) <= 8
        assert CHOICES["sorted"](hypotheses).score == max(h.score for h in finished)
        assert CHOICES["ascending"](hypotheses).score == min(h.score for h in finished)
        assert CHOICES["unsorted"](hypotheses).finished_at == 0
        assert CHOICES["unsorted"](hypotheses).tokens != hypotheses[0].tokens
