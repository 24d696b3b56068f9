"""What questions, arms and branches may not ask for, said before any work starts."""
