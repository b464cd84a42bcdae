"""Example bodies of the API documentation."""

PASSWORD = "correct horse battery"  # noqa: S105  # an example in the documentation
REGISTER = {"email": "ada@example.com", "password": PASSWORD, "accepts_terms": True}
SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}
REFRESH = {"refresh": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"}
TOKENS = {
    "access": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl",
    **REFRESH,
    "token_type": "Bearer",
    "expires_in": 600,
}
ACCOUNT = {
    "id": 7,
    "email": "ada@example.com",
    "plan": "free",
    "per_minute": 60,
    "per_day": 5000,
    "is_staff": False,
    "date_joined": "2023-09-21T20:31:07Z",
}
KEY = {
    "id": 12,
    "name": "notebook",
    "prefix": "hc_7Qm2xVbA",
    "scopes": ["read"],
    "state": "active",
    "created_at": "2023-09-21T20:31:07Z",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}
NEW_KEY = {"name": "notebook", "scopes": ["read"], "expires_at": None}
CREATED_KEY = {**KEY, "key": "hc_7Qm2xVbAexampleexampleexampleexampl000000"}
REGISTERED = {
    "account": ACCOUNT,
    "api_key": {**CREATED_KEY, "name": "first key", "scopes": ["manage", "predict", "read"]},
}
USAGE = {
    "plan": "free",
    "per_minute": 60,
    "per_day": 5000,
    "left_today": 4958,
    "today": [{"key": "hc_7Qm2xVbA", "name": "notebook", "calls": 42}],
    "days": [{"day": "2023-09-21", "endpoint": "predict", "key": "hc_7Qm2xVbA", "calls": 42, "errors": 0}],
}
