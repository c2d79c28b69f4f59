"""What an engine over NumPy arrays needs: inputs, memory, threads, products."""
