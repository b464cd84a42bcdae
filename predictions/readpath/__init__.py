"""The hot read: ready-made answers in the store, one trip to fetch one, and what is done when a store is away."""
