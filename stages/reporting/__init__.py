"""Behind report: the page, its figures, and the rows of tables that no record holds."""
