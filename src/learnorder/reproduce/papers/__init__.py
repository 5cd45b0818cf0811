"""Claims of later papers: how they are specified, run and judged, and the tasks they train."""
