"""What a label is: how it is read from a manifest, learnt, decoded, scored, moved by a deformation and compared.

A head is a small frozen dataclass with no weights (the network holds the linear layer). All heads share one shape:

    fit(frame) -> Head             the same head with what the training rows tell (class names, medians)
    encode(frame) -> Tensor        labels of the tracks, float32, NaN where a label is missing
    loss(logits, target)           scalar over the labelled entries of a batch; 0 when there is none
    probabilities(logits)          what `predict` returns
    answer(probabilities)          what they say in the terms of the target: class index, BPM, 0 or 1 a tag
    label(value)                   (exclusive heads) an entry of a target in words: "jazz", "A minor", "120.0"
    one_hot(target)                the labels as the probabilities should be: (batch, size) of 0, 1 or NaN
    calibrated(probabilities)      a track's probabilities after its temperature (musicrec/evaluation/calibration.py);
                                   `calibrates` is False where none is to be fitted
    score(probabilities, target, weights)  song-level metrics, overall and by class, of each resample of the tracks
    metrics(probabilities, target) the overall ones of the tracks as they are; `primary` names the one to select a
                                   model by
    per_class(probabilities, target)  those by class, a row a class
    role                           "tag": the recommender filters by it (and has `ranked(probabilities)`);
                                   "feature": the recommender compares it
    decode(probabilities)          one track's answer in words and numbers, as plain JSON types
    move(target, …)                the label of a track whose pitch or tempo was changed
    compatibility()                (size, size): how well two classes go together, 1 for the same

Shapes: logits and probabilities (batch, size); target (batch,) for exclusive classes, (batch, size) for tags.
"""

from musicrec.heads.base import Head, from_dict, to_dict

__all__ = ["Head", "from_dict", "to_dict"]
