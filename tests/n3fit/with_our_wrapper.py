"""The command `n3fit` with hyperparton's `hyper_scan_wrapper` in the place of its own; arguments are n3fit's."""

import n3fit.hyper_optimization.hyper_scan as hyper_scan
from n3fit.scripts.n3fit_exec import main

from hyperparton import hyper_scan_wrapper

hyper_scan.hyper_scan_wrapper = hyper_scan_wrapper

if __name__ == "__main__":
    main()
