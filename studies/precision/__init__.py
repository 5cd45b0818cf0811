"""Whether the verdicts on the claims depend on the precision of training."""
