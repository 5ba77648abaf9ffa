"""The drift report and the pages of an incident."""
