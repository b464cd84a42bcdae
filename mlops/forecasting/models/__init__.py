"""The members of the ensemble; only `catalog` knows where each one's library is loaded."""
