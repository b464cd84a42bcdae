"""HTTP behaviour shared by every endpoint: problem responses, content negotiation, request log, headers, page limits.

Imported by the settings (by dotted name) and by the other `config` packages; never by an app.
"""
