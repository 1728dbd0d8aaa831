"""Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531, section 3 and what follows from it."""

from tutelage.report.papers.records import Source

SOURCE = Source(
    authors="Hinton, Vinyals, Dean",
    year=2015,
    title="Distilling the Knowledge in a Neural Network",
    url="https://arxiv.org/abs/1503.02531",
)
