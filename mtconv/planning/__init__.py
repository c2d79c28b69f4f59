"""A problem and a dtype become a `Plan`: costs, choices and their reasons."""
