"""Measured data, covariance matrices, FK tables, masks and data replicas of a fit; see `load.load_fit_data`."""
