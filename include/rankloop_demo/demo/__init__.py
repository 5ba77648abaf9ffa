"""`make demo`: a shop's history, its first champion, a change of tastes that is noticed, and the champion after it."""
