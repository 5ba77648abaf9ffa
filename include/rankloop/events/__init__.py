"""From raw documents of a day to clean events: repaired, checked, and what is bad set aside with its reason."""
