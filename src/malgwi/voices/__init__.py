"""Who speaks, where nobody wrote it down: an embedding of voices and its clusters.

cepstra.py makes frames of speech, mixture.py sorts them into kinds of sound, embedding.py makes one
vector of an utterance, speakers.py puts vectors of one voice together. No torch, no download.
"""
