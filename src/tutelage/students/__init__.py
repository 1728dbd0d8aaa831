"""Who learns: networks, trees and linear models that take soft targets, and how they are kept."""
