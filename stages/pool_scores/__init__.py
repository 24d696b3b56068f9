"""Behind score: the columns that arms can select by."""
