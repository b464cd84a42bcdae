"""The API of accounts, and the defaults by which every view of the API knows its caller."""
