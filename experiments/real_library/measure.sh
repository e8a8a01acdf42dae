#!/bin/sh
# Measure tempi and rankings again, from the folder of the repository. Writes the rankings into README.md, and prints the
# tempi:
#
#     sh experiments/real_library/measure.sh REAL CHOOSING
#
# REAL and CHOOSING are folders of unpacked packages, see README.md. The libraries are made in these folders; a second
# run analyses only what has changed. Fetch the taggers before: musicrec models get musicnn
set -eu
here=experiments/real_library
real=$1
choosing=$2

python $here/manifest.py "$real"
musicrec index "$real/manifest.csv" --library "$real/library.sqlite"
python $here/tempo.py "$real"
python $here/neighbours.py "$real/library.sqlite" --mfcc --csv $here/neighbours.csv --figure $here/neighbours.png \
    --page $here/README.md

python $here/manifest.py "$choosing" --per-soundtrack 11 --excerpts "$choosing/excerpts"
musicrec index "$choosing/excerpts/manifest.csv" --library "$choosing/library.sqlite"
python $here/neighbours.py "$choosing/library.sqlite" --csv $here/choosing.csv --page $here/README.md \
    --weights embedding.musicnn_mtt=1,embedding.musicnn_msd=1 \
    --weights tempo=1,key=1,energy=1 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2 \
    --weights tempo=1,key=1,embedding=3 \
    --weights tempo=1,key=1,energy=2,embedding=3 \
    --weights tempo=1,key=1,energy=2,brightness=2,embedding=3 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=3 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=6 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=2,variation=1 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=2,variation=2 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=3,variation=2 \
    --weights tempo=1,key=1,energy=2,loudness=2,brightness=2,embedding=3,variation=3 \
    --weights tempo=1.5,key=1.5,energy=2,loudness=2,brightness=2,embedding=3,variation=3
python $here/reranking.py "$choosing/library.sqlite" --csv $here/reranking.csv --page $here/README.md \
    --weights mix:tempo=4,key=4,energy=3,embedding=3,variation=1,loudness=1,brightness=1 \
    --weights inspire:embedding=4,variation=3,tags_mtt=2,tags_msd=2,brightness=2,energy=1 \
    --weights explore:embedding=3,variation=2,energy=1,brightness=1,tempo=0.5,key=0.5
