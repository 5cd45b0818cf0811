"""What README and docs show: measured, recorded, and written into the pages.

Each folder is a study: ``measure.py`` makes its runs and its records in ``results/``, ``page.py``
writes its page and pictures from these. ``python -m studies.pages`` writes all of them.
"""
