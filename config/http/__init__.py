"""HTTP behaviour shared by every endpoint: problem responses, negotiation, request log, headers, page limits."""
