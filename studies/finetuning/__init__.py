"""Fine-tuning: what is gained and forgotten, by learning rate and by the weights trained."""
