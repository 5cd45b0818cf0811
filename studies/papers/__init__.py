"""The claims of later papers, judged on the committed runs: ``docs/claims.md``."""
