"""The paper's claims, judged on the committed runs: ``docs/results.md`` and README."""
