"""One ladder of choices for each backend that has a choice."""
