"""Where prices and news come from: the only place of this app that talks to the outside."""
