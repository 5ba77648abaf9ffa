"""Who is champion, who was, and what the ledger has of it."""
