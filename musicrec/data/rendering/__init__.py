"""Render a labelled corpus: arranged or composed by rule, played by FluidSynth. All labels are known for certain."""
