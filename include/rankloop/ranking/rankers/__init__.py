"""Rankers: models that turn preprocessed features into scores, one a file, behind one protocol."""
