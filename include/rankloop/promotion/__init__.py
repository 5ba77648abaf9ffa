"""From challenger to champion and back: the request for approval, the decision, the rollback."""
