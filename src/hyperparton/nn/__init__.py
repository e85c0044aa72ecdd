"""The parts of a neural network: activations, initializers, optimizers."""
