"""MIDI files, rendered by FluidSynth with General MIDI sound fonts into a manifest with labels from the files."""
