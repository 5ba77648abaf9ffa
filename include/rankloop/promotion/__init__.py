"""From a challenger to a champion, and back: asking, deciding, rolling back."""
