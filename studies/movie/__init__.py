"""The animation at the top of README: ``docs/_static/learning.gif``."""
