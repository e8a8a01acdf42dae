"""How answers hold when the audio changes, scored against labels that move with it.

`conditions` says what is done to the audio, `excerpts` to which of it, `measuring` runs the networks and keeps what
they said (`answers`), `scoring` compares that with the labels, `recommending` with the lists of the clean queries, and
`report`, `tables` and `plots` tell it.
"""
