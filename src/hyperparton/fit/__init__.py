"""The fits of neural networks to data.  A trial takes this path through it:

1. `methodology` reads the trial's parameters.  `setup` holds what all trials of a runcard share (`FitSetup`): the
   predictions (`observables`), the folds (`folds`) and their chi2 (`chi2`).
2. `train` trains a batch: a model for each trial, fold and replica.  A trial enters it as a `FitJob`; the data of its
   models, their chi2 and seeds, are a `BatchData` (`batch_data`).
3. `batches` divides the models into chunks and drops those that have stopped.  `parallel` runs the chunks on the cores.
4. `compiled` runs up to 100 epochs of a chunk in one call, with `projection`, `quadratic`, `positivity` and `stopping`
   as its parts.  `compile_cache` keeps the compiled program.
   With `hadronic_accuracy` what is not linear takes a fast path: `condensing` finds few rows that hold it
   (`condensed`; `row_store` keeps them), `moving` expands them to second order (`second_order`), and `pace` says when
   to do so anew.
5. The trained networks leave it as `TrainedModels` (`result`).  `hyperloss` computes the loss of a trial from them.
   `run` makes a fit of all data in the same way (`FitResult`); in `mixed` each replica has a methodology of its own.
"""
