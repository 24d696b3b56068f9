"""Behind `assay export`: the arm that was decided, over the whole pools, in the form that a trainer reads."""
