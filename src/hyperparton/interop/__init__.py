"""Exchange with n3fit and its tools, a module each: PDFs at the initial scale, saved weights, n3fit's trainer.

Nothing is loaded here: who builds n3fit's trainer needs no jax.
"""
