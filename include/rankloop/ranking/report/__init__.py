"""What a person reads before answering for a challenger: a page, and a short Markdown for the approval request."""
