"""How an alert reaches a person, one module per channel."""
