"""Who is champion, and who was, as the ledger has it."""
