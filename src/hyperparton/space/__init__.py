"""Search spaces: samplers in place of values, in a tree that no optimisation library has touched."""
