"""Bulk import by CSV: what an earlier system knew, read row by row, told like all else."""
