"""What a network is made of and how it is trained: initializers, activations, layers, optimizers."""
