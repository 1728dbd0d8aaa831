"""Experiments with students of eight thousand weights: tiny on MNIST, tiny-fashion on Fashion-MNIST."""
