"""Music composed and synthesised by the package itself, with every label known by construction."""

from musicrec.data.synthetic.generate import make_synthetic

__all__ = ["make_synthetic"]
