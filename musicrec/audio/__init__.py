"""Audio files: decoding, chunk positions, and the tags in files."""
