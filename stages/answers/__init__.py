"""Behind decide: the case of one question between arms, its answers, and the parts of its record."""
