"""Runcards: NNPDF's own cards read as they are, checked in whole before anything runs."""
