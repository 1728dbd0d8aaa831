"""How few errors eight thousand weights make: tiny on MNIST, tiny-fashion on Fashion-MNIST."""
