"""A program as one SQL statement, for SQLite, DuckDB and PostgreSQL."""
