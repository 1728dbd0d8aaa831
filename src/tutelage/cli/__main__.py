"""`python -m tutelage.cli` is `tutelage`."""

from tutelage.cli import entry

entry()
