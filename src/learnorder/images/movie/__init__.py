"""The movie of runs on images: a page to scrub through the epochs."""
