"""The commands ``patch``, ``plain`` and ``train``: networks on images."""
