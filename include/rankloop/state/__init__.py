"""What Rankloop keeps in MongoDB: rankings and their pointer, the ledger, alerts, actions, quarantine."""
