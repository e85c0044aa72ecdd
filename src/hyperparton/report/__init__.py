"""Reports of scans: numbers, figures, one page."""
