"""Laws that know repeats and quality."""
