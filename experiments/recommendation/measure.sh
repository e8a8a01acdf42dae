#!/bin/sh
# Measure the recommendations on the rendered corpus and on the library of experiments/real_library, from the folder of
# the repository, and write the tables into README.md:
#
#     sh experiments/recommendation/measure.sh CORPUS REAL WORK
#
# CORPUS is a folder with manifest.csv and audio; REAL is made by experiments/real_library/measure.sh; libraries and
# results are written into WORK. Fetch the taggers before: musicrec models get musicnn
set -eu
here=experiments/recommendation
corpus=$1
real=$2
work=$3
against='evaluate.references=[query,preset mix,preset inspire,preset explore]'

musicrec recommend action=index 'exports=[tempo,key,musicnn_mtt,musicnn_msd]' source="$corpus/manifest.csv" \
    library="$work/corpus.sqlite"
musicrec recommend action=evaluate library="$work/corpus.sqlite" evaluate.labels="$corpus/manifest.csv" "$against" \
    evaluate.mfcc=true evaluate.playlists=null evaluate.queries=400 evaluate.folder="$work/corpus"
musicrec recommend action=evaluate library="$real/library.sqlite" "$against" \
    evaluate.mfcc=true evaluate.changed=20 evaluate.playlists=artist evaluate.folder="$work/real"

python $here/tables.py "$work/corpus/evaluation.json" --page $here/README.md --name corpus \
    --title "Rendered corpus (synthesised from MIDI)"
python $here/tables.py "$work/real/evaluation.json" --page $here/README.md --name real \
    --title "Real library: four soundtracks"
