"""What the columns of a table of runs say before a law is fitted: numbers checked, domains, schedules."""
