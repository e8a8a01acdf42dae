"""Render MIDI files with FluidSynth and General MIDI sound fonts; the labels come from the MIDI files."""
