"""A two-node kind cluster from source packages, for machines that reach package registries but no image registry."""
