"""Answers recorded by many processes: a plan of the shards, each labelled on its own, and their proof."""
