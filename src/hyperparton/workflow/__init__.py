"""From a runcard to a scan, a fit or a report: what the command line and Python call."""
