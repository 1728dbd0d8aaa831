"""Answers kept: asked once, stored with their provenance, and good only for the rows they were asked about."""
