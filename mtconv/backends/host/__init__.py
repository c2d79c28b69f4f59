"""What an engine over NumPy arrays needs: inputs, dtypes, memory, threads, errors."""
