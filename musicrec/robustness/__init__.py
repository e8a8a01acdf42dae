"""Measure how a model's answers suffer when the audio changes, against labels that move with the audio.

A report is made in this order:

1. `models_under_test` and `labelled_split` read the models, and the tracks with their labels.
2. `conditions` lists the deformations with their strengths, `excerpts` cuts the audio and deforms it.
3. `measurement` runs the networks over it (`inference`) and caches their answers (`answer_cache`).
4. `effects` compares the answers with the moved labels (`label_motion`), on resamples of the tracks (`resampling`).
   `model_comparison` puts models side by side; `overlap` compares recommendations before and after a deformation.
5. `report` holds the results and writes CSV and JSON files; `tables` prints them and writes Markdown; `figures` draws
   them.
"""
