"""Figures of a report. Each function takes numbers and returns a figure; none knows how a scan is read or written."""
