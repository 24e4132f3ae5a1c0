"""Articles, solved tickets and their passages: kept, indexed, ranked; for serving and training."""
