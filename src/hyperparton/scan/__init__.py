"""The scan: from a runcard's ranges to trials and their best. It knows of a trainer only its two methods."""
