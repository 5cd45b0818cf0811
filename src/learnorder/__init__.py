"""What does my network learn first, and how does the learning rate decide that?

The public names are listed in ``__init__.pyi``, under headings. They load on first use, so that
importing the package is quick.

>>> import learnorder
>>> experiment = learnorder.recipe("demo")
>>> experiment.data.source
'digits'
"""

from __future__ import annotations

import lazy_loader

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    if name in __all__ or name.startswith("__"):
        return _load(name)
    from learnorder.errors import did_you_mean

    remedy = did_you_mean(name, __all__) or "dir(learnorder) lists the public names."
    raise AttributeError(f"module 'learnorder' has no attribute {name!r}. {remedy}")
