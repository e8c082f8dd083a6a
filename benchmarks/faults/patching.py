"""Edit the code of whyrank in a process, as an edit of its files would."""

import sys
from types import ModuleType
from typing import Any

from whyrank.model.encoder import vector_cache


def replace(place: ModuleType | type, name: str, new: Any) -> Any:
    """Put `new` in the place of a function of a module, wherever whyrank has it by now, or of a class; the old one.

    The caches of vectors, checkpoints and finished folds are told, as they know of an edit of a file: what the sound
    code has left there is not taken for the work of the other, nor the other way round.
    """
    old = getattr(place, name)
    own = f"{vector_cache.code()} {place.__name__}.{name}"
    vector_cache.code = lambda: own
    setattr(place, name, new)
    for other in [one for key, one in sys.modules.items() if key.partition(".")[0] == "whyrank"]:
        for attribute, value in vars(other).copy().items():
            if value is old:
                setattr(other, attribute, new)
    return old
