"""Music that the package composes and synthesises itself, so that every label is known."""

from musicrec.data.synthetic.generate import make_synthetic

__all__ = ["make_synthetic"]
