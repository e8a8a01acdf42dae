"""Pictures that a person looks at: of tracks and what a model makes of them, and of a run."""
