"""The forms of an account that sign-in itself does not bring."""
