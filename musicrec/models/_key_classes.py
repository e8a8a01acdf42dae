"""A check of the networks whose outputs for the key have fixed places."""

from collections.abc import Sequence

from musicrec.errors import ConfigError
from musicrec.heads import Head
from musicrec.heads.keys import KEYS_24, PITCH_CLASSES


def check_key_classes(heads: Sequence[Head]) -> None:
    """Check that a head `key` has its classes in semitones up from C.

    Raises:
        ConfigError: If the order of its classes is another one.
    """
    for head in heads:
        if head.name == "key" and head.classes not in (KEYS_24, PITCH_CLASSES):
            raise ConfigError(
                f"task.heads.key has the classes {', '.join(head.classes)}: the outputs of the key network "
                "are in semitones up from C; remove task.heads.key.order, or choose another model"
            )
