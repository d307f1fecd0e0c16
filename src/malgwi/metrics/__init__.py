"""What was misheard, and how sure that is: one alignment, every error rate, every interval.

alignment.py pairs tokens, error_rate.py counts them, confidence.py says how far a rate may move.
Scoring exists here and nowhere else: training, evaluation and ``malgwi score`` all call it. None
of it imports torch.
"""
