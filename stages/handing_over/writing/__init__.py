"""What of a document is written, how documents are mixed over shards, and the formats of the shards."""
